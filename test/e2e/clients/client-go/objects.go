package main

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolsevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

func makeNamespace(ctx context.Context, config *rest.Config) {
	client := kubernetes.NewForConfigOrDie(config)
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		must(err)
	}
}

// Everything that a typed client does with one object, with fields of every sort.
func typedObjects(ctx context.Context, config *rest.Config) {
	deployments := kubernetes.NewForConfigOrDie(config).AppsV1().Deployments(namespace)
	zero, labels := int32(0), map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:      "web",
			Image:     "example.com/web:1",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
			LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromString("http")},
			}},
		}}},
	}
	made, err := deployments.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.DeploymentSpec{Replicas: &zero, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}, metav1.CreateOptions{})
	must(err)
	expect(made.UID != "" && !made.CreationTimestamp.IsZero(), "the server did not fill in %+v", made.ObjectMeta)
	expect(*made.Spec.Replicas == 0, "zero replicas were meant, not %d", *made.Spec.Replicas)
	container := made.Spec.Template.Spec.Containers[0]
	expect(container.Resources.Requests.Cpu().String() == "100m" || container.Resources.Limits.Cpu().String() == "100m", "cpu of %+v", container.Resources)
	expect(container.LivenessProbe.HTTPGet.Port.StrVal == "http", "port of %+v", container.LivenessProbe)

	patched, err := deployments.Patch(ctx, "web", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"example.com/web:2"}]}}}}`), metav1.PatchOptions{})
	must(err)
	expect(patched.Spec.Template.Spec.Containers[0].Image == "example.com/web:2" && patched.Generation > made.Generation, "patched to %+v", patched.Spec)
	must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		latest, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		must(err)
		latest.Annotations = map[string]string{"note": "é"}
		_, err = deployments.Update(ctx, latest, metav1.UpdateOptions{})
		return err
	}))
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	must(err)
	expect(scale.Spec.Replicas == 0 && scale.Status.Selector == "app=web", "scale is %+v", scale)
	list, err := deployments.List(ctx, metav1.ListOptions{LabelSelector: "!none", Limit: 10})
	must(err)
	expect(len(list.Items) == 1 && list.Items[0].Annotations["note"] == "é", "listed %+v", list.Items)
	_, err = deployments.Create(ctx, made, metav1.CreateOptions{})
	expect(err != nil && !apierrors.IsAlreadyExists(err), "a resourceVersion at a create was taken: %v", err)
	made.ResourceVersion = ""
	_, err = deployments.Create(ctx, made, metav1.CreateOptions{})
	expect(apierrors.IsAlreadyExists(err), "made twice: %v", err)
	background := metav1.DeletePropagationBackground
	must(deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &background}))
	_, err = deployments.Get(ctx, "web", metav1.GetOptions{})
	expect(apierrors.IsNotFound(err), "still there: %v", err)
}

func apply(ctx context.Context, config *rest.Config) {
	maps := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(namespace)
	of := func(key, value string) *applycore.ConfigMapApplyConfiguration {
		return applycore.ConfigMap("applied", namespace).WithData(map[string]string{key: value})
	}
	_, err := maps.Apply(ctx, of("a", "1"), metav1.ApplyOptions{FieldManager: "one"})
	must(err)
	_, err = maps.Apply(ctx, of("b", "2"), metav1.ApplyOptions{FieldManager: "two"})
	must(err)
	_, err = maps.Apply(ctx, of("a", "other"), metav1.ApplyOptions{FieldManager: "two"})
	expect(apierrors.IsConflict(err), "no conflict: %v", err)
	both, err := maps.Get(ctx, "applied", metav1.GetOptions{})
	must(err)
	mine, err := applycore.ExtractConfigMap(both, "one")
	must(err)
	expect(len(both.Data) == 2 && len(mine.Data) == 1 && mine.Data["a"] == "1", "extracted %v of %v", mine.Data, both.Data)
	forced, err := maps.Apply(ctx, of("a", "3"), metav1.ApplyOptions{FieldManager: "two", Force: true})
	must(err)
	expect(forced.Data["a"] == "3" && forced.Data["b"] == "", "after force %v", forced.Data)
}

// Many writers of one object, each of which tries again when another was faster.
func conflicts(ctx context.Context, config *rest.Config) {
	maps := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(namespace)
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "contended"}, Data: map[string]string{}}, metav1.CreateOptions{})
	must(err)
	var group sync.WaitGroup
	for writer := range 10 {
		group.Add(1)
		go func() {
			defer group.Done()
			backoff := retry.DefaultBackoff
			backoff.Steps = 50
			must(retry.RetryOnConflict(backoff, func() error {
				latest, err := maps.Get(ctx, "contended", metav1.GetOptions{})
				must(err)
				if latest.Data == nil {
					latest.Data = map[string]string{}
				}
				latest.Data[string(rune('a'+writer))] = "seen"
				_, err = maps.Update(ctx, latest, metav1.UpdateOptions{})
				return err
			}))
		}()
	}
	group.Wait()
	end, err := maps.Get(ctx, "contended", metav1.GetOptions{})
	must(err)
	expect(len(end.Data) == 10, "updates were lost: %v", end.Data)
}

// Two candidates, one leader; the other follows when the first gives up.
func leaderElection(ctx context.Context, config *rest.Config) {
	client := kubernetes.NewForConfigOrDie(config)
	leaders := make(chan string, 10)
	candidate := func(name string) context.CancelFunc {
		own, cancel := context.WithCancel(ctx)
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, namespace, "leader", client.CoreV1(), client.CoordinationV1(),
			resourcelock.ResourceLockConfig{Identity: name})
		must(err)
		go leaderelection.RunOrDie(own, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 4 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: 200 * time.Millisecond, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { leaders <- name }, OnStoppedLeading: func() {}},
		})
		return cancel
	}
	next := func(expected string) {
		select {
		case leader := <-leaders:
			expect(leader == expected, "%s leads, not %s", leader, expected)
		case <-time.After(30 * time.Second):
			fail("%s does not lead", expected)
		}
	}
	stopFirst := candidate("first")
	next("first")
	stopSecond := candidate("second")
	defer stopSecond()
	time.Sleep(time.Second)
	expect(len(leaders) == 0, "two lead at once")
	stopFirst()
	next("second")
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "leader", metav1.GetOptions{})
	must(err)
	expect(*lease.Spec.HolderIdentity == "second" && lease.Spec.RenewTime.Nanosecond()%1000 == 0, "lease is %+v", lease.Spec)
}

// As controllers report: one Event, written again as a series.
func events(ctx context.Context, config *rest.Config) {
	client := kubernetes.NewForConfigOrDie(config)
	broadcaster := toolsevents.NewBroadcaster(&toolsevents.EventSinkImpl{Interface: client.EventsV1()})
	must(broadcaster.StartRecordingToSinkWithContext(ctx))
	defer broadcaster.Shutdown()
	recorder := broadcaster.NewRecorder(scheme.Scheme, "test")
	about := &corev1.ObjectReference{Kind: "ConfigMap", APIVersion: "v1", Namespace: namespace, Name: "applied"}
	for range 3 {
		recorder.Eventf(about, nil, corev1.EventTypeNormal, "Seen", "Looking", "looked at %s", "it")
	}
	var found []eventsv1.Event
	until(ctx, "an event with a series", func() bool {
		list, err := client.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=Seen"})
		must(err)
		found = list.Items
		return len(found) == 1 && found[0].Series != nil && found[0].Series.Count >= 2
	})
	expect(found[0].Note == "looked at it" && found[0].ReportingController == "test", "event is %+v", found[0])
}

func until(ctx context.Context, what string, holds func() bool) {
	for end := time.Now().Add(40 * time.Second); !holds(); time.Sleep(100 * time.Millisecond) {
		expect(time.Now().Before(end) && ctx.Err() == nil, "never: %s", what)
	}
}

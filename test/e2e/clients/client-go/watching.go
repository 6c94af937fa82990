package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	kubeinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// What an informer heard, by name: the changes one after another.
type heard struct {
	sync.Mutex
	changes map[string]string
}

func (h *heard) note(change string, object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	h.Lock()
	defer h.Unlock()
	h.changes[object.(metav1.Object).GetName()] += change
}

func (h *heard) of(name string) string {
	h.Lock()
	defer h.Unlock()
	return h.changes[name]
}

func listen(ctx context.Context, informer cache.SharedIndexInformer) *heard {
	h := &heard{changes: map[string]string{}}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { h.note("a", object) },
		UpdateFunc: func(_, object any) { h.note("u", object) },
		DeleteFunc: func(object any) { h.note("d", object) },
	})
	must(err)
	go informer.Run(ctx.Done())
	expect(cache.WaitForCacheSync(ctx.Done(), informer.HasSynced), "an informer does not begin")
	return h
}

func informers(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := kubernetes.NewForConfigOrDie(config)
	write := func(name string) {
		object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"key": {0, 255}}}
		_, err := client.CoreV1().Secrets(namespace).Create(ctx, object, metav1.CreateOptions{})
		must(err)
	}
	write("before")
	secrets := kubeinformers.NewSharedInformerFactoryWithOptions(client, 0, kubeinformers.WithNamespace(namespace)).Core().V1().Secrets()
	h := listen(ctx, secrets.Informer())
	changed, err := secrets.Lister().Secrets(namespace).Get("before")
	must(err)
	expect(string(changed.Data["key"]) == "\x00\xff", "the informer has %v", changed.Data)
	write("after")
	changed = changed.DeepCopy()
	changed.Data["key"] = []byte("new")
	_, err = client.CoreV1().Secrets(namespace).Update(ctx, changed, metav1.UpdateOptions{})
	must(err)
	must(client.CoreV1().Secrets(namespace).Delete(ctx, "before", metav1.DeleteOptions{}))
	until(ctx, "every change of before", func() bool { return h.of("before") == "aud" })
	until(ctx, "that after was added", func() bool { return h.of("after") == "a" })
	must(client.CoreV1().Secrets(namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	until(ctx, "that after was deleted", func() bool { return h.of("after") == "ad" })
}

func metadataInformers(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := metadata.NewForConfigOrDie(config)
	maps := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	informer := metadatainformer.NewFilteredMetadataInformer(client, maps, namespace, 0, cache.Indexers{}, nil)
	h := listen(ctx, informer.Informer())
	typed := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(namespace)
	_, err := typed.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "known"}}, metav1.CreateOptions{})
	must(err)
	until(ctx, "that known was added", func() bool { return h.of("known") == "a" })
	must(client.Resource(maps).Namespace(namespace).Delete(ctx, "known", metav1.DeleteOptions{}))
	until(ctx, "that known was deleted", func() bool { return h.of("known") == "ad" })
}

func dynamicObjects(ctx context.Context, config *rest.Config) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Custom resources have no other form.
	config = dynamic.ConfigFor(config)
	client := dynamic.NewForConfigOrDie(config)
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	lamps := schema.GroupVersionResource{Group: "go.example.com", Version: "v1", Resource: "lamps"}
	_, err := client.Resource(definitions).Apply(ctx, "lamps.go.example.com", parse(`{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "lamps.go.example.com"},
		"spec": {"group": "go.example.com", "scope": "Namespaced", "names": {"plural": "lamps", "kind": "Lamp"}, "versions": [{
			"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
			"schema": {"openAPIV3Schema": {"type": "object", "properties": {
				"spec": {"type": "object", "properties": {"colour": {"type": "string", "default": "red"}}},
				"status": {"type": "object", "properties": {"lit": {"type": "boolean"}}}}}}}]}}`),
		metav1.ApplyOptions{FieldManager: "go"})
	must(err)
	until(ctx, "that the definition is established", func() bool {
		_, err := client.Resource(lamps).Namespace(namespace).List(ctx, metav1.ListOptions{})
		return err == nil
	})
	h := listen(ctx, dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource(lamps).Informer())
	made, err := client.Resource(lamps).Namespace(namespace).Create(ctx,
		parse(`{"apiVersion": "go.example.com/v1", "kind": "Lamp", "metadata": {"name": "one"}, "spec": {}}`), metav1.CreateOptions{})
	must(err)
	colour, _, _ := unstructured.NestedString(made.Object, "spec", "colour")
	expect(colour == "red", "no default in %v", made.Object)
	must(unstructured.SetNestedField(made.Object, true, "status", "lit"))
	_, err = client.Resource(lamps).Namespace(namespace).UpdateStatus(ctx, made, metav1.UpdateOptions{})
	must(err)
	must(client.Resource(lamps).Namespace(namespace).Delete(ctx, "one", metav1.DeleteOptions{}))
	until(ctx, "every change of the lamp", func() bool { return h.of("one") == "aud" })
}

func parse(text string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	must(json.Unmarshal([]byte(text), &object.Object))
	return object
}

// An informer that goes on, and what it asks the server for.
func inform(ctx context.Context, config *rest.Config) {
	client := kubernetes.NewForConfigOrDie(config)
	say := func(event, name, value string) { fmt.Printf("%s %s %s\n", event, name, value) }
	source := &cache.ListWatch{
		ListFunc: func(options metav1.ListOptions) (runtime.Object, error) {
			say("list", "from", options.ResourceVersion)
			return client.CoreV1().ConfigMaps("default").List(ctx, options)
		},
		WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
			say("watch", "from", options.ResourceVersion)
			return client.CoreV1().ConfigMaps("default").Watch(ctx, options)
		},
	}
	informer := cache.NewSharedIndexInformer(source, &corev1.ConfigMap{}, 0, cache.Indexers{})
	tell := func(event string) func(any) {
		return func(object any) {
			if configMap, ok := object.(*corev1.ConfigMap); ok {
				say(event, configMap.Name, configMap.Data["value"])
			}
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: tell("add"), DeleteFunc: tell("delete"), UpdateFunc: func(_, object any) { tell("update")(object) },
	})
	must(err)
	informer.Run(ctx.Done())
	time.Sleep(time.Second)
}

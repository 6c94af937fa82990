// Command client-go uses the Kubernetes project's own Go client as controllers do. `client-go check CONTENT-TYPE` goes through what they rely
// on and prints a line for each thing that holds; `client-go inform CONTENT-TYPE` prints what an informer hears until it is killed.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const namespace = "client-go"

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(err)
	config.QPS, config.Burst = 500, 500
	// What a kubelet and the controllers of Kubernetes ask for.
	config.ContentType = os.Args[2]
	config.AcceptContentTypes = os.Args[2] + ",application/json"
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	switch os.Args[1] {
	case "check":
		check(ctx, config)
	case "inform":
		inform(ctx, config)
	}
}

func check(ctx context.Context, config *rest.Config) {
	for _, each := range []struct {
		name string
		run  func(context.Context, *rest.Config)
	}{
		{"namespace", makeNamespace},
		{"typed objects", typedObjects},
		{"informers", informers},
		{"metadata informers", metadataInformers},
		{"apply", apply},
		{"conflicts", conflicts},
		{"leader election", leaderElection},
		{"events", events},
		{"dynamic objects", dynamicObjects},
	} {
		each.run(ctx, config)
		fmt.Println("ok", each.name)
	}
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...any) {
	panic(fmt.Sprintf(format, arguments...))
}

func expect(condition bool, format string, arguments ...any) {
	if !condition {
		fail(format, arguments...)
	}
}

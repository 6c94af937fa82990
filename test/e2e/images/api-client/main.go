// A client of the Kubernetes API that knows only what every pod is given: the mounted token and authority, and the name of the service.
// Arguments are pairs of a method and a path; each answer is one line: method, path, status, kind, and the message or the names of the items.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const mounted = "/var/run/secrets/kubernetes.io/serviceaccount/"

type answer struct {
	Kind    string
	Message string
	Items   []struct{ Metadata struct{ Name string } }
}

func main() {
	authority, err := os.ReadFile(mounted + "ca.crt")
	check(err)
	token, err := os.ReadFile(mounted + "token")
	check(err)
	namespace, err := os.ReadFile(mounted + "namespace")
	check(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		check(fmt.Errorf("ca.crt holds no certificate"))
	}
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	http.DefaultClient.Timeout = 20 * time.Second
	fmt.Printf("in namespace %s at %s:%s\n", namespace, os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))

	for at := 1; at+1 < len(os.Args); at += 2 {
		method, path := os.Args[at], os.Args[at+1]
		request, err := http.NewRequest(method, "https://kubernetes.default.svc"+path, nil)
		check(err)
		request.Header.Set("Authorization", "Bearer "+string(token))
		response, err := http.DefaultClient.Do(request)
		check(err)
		var got answer
		check(json.NewDecoder(response.Body).Decode(&got))
		response.Body.Close()
		text := got.Message
		if text == "" {
			var names []string
			for _, item := range got.Items {
				names = append(names, item.Metadata.Name)
			}
			text = strings.Join(names, ",")
		}
		fmt.Printf("%s %s %d %s %s\n", method, path, response.StatusCode, got.Kind, text)
	}
}

func check(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

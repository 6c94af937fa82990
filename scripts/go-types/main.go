// Command go-types writes shared/kubernetes/facts/go-types.json: for every published schema, how Go declares each field.
// "?" stands for omitempty and "*" for a pointer; neither is in the OpenAPI schemas, and both decide how zero values are printed.
//
// Run in an empty module outside this repository:
//
//	go mod init x && go get k8s.io/client-go@v0.33.0 k8s.io/apiextensions-apiserver@v0.33.0 k8s.io/kube-aggregator@v0.33.0
//	go run main.go path/to/facts/schemas.json > path/to/facts/go-types.json
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strings"

	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
	agg "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func openapiName(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	host := strings.Split(parts[0], ".")
	for i, j := 0, len(host)-1; i < j; i, j = i+1, j-1 {
		host[i], host[j] = host[j], host[i]
	}
	return strings.Join(append(host, parts[1:]...), ".") + "." + t.Name()
}

var out = map[string]map[string]string{}

func walk(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		walk(t.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	if t.PkgPath() == "time" {
		return
	}
	name := openapiName(t)
	if _, ok := out[name]; ok {
		return
	}
	fields := map[string]string{}
	out[name] = fields
	var members func(t reflect.Type)
	members = func(t reflect.Type) {
		for i := 0; i < t.NumField(); i++ {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			tag := strings.Split(f.Tag.Get("json"), ",")
			inline := f.Anonymous && tag[0] == ""
			if inline {
				ft := f.Type
				if ft.Kind() == reflect.Pointer {
					ft = ft.Elem()
				}
				if ft.Kind() == reflect.Struct {
					members(ft)
				}
				continue
			}
			if tag[0] == "-" || tag[0] == "" {
				continue
			}
			omit := ""
			for _, o := range tag[1:] {
				if o == "omitempty" {
					omit = "?"
				}
			}
			ft := f.Type
			p := ""
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
				p = "*"
			}
			fields[tag[0]] = omit + p + ft.String()
			walk(f.Type)
		}
	}
	members(t)
}

func main() {
	_ = apiext.AddToScheme(scheme.Scheme)
	_ = agg.AddToScheme(scheme.Scheme)
	for _, t := range scheme.Scheme.AllKnownTypes() {
		walk(t)
	}
	raw, _ := os.ReadFile(os.Args[1])
	var doc struct {
		Schemas map[string]struct{ Properties map[string]json.RawMessage } `json:"schemas"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic(err)
	}
	res := map[string]map[string]string{}
	missing := []string{}
	for name, s := range doc.Schemas {
		if len(s.Properties) == 0 {
			continue
		}
		f, ok := out[name]
		if !ok {
			missing = append(missing, name)
			continue
		}
		res[name] = f
	}
	sort.Strings(missing)
	os.Stderr.WriteString(strings.Join(missing, "\n") + "\n")
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	enc.Encode(res)
}

"""`client.py SCENARIO`: drives a cluster with the Kubernetes project's Python client, and fails where it does not answer as Kubernetes does."""

import sys

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException

NAMESPACE = "default"
GROUP = "stable.example.com"


def pod(name, labels):
    container = client.V1Container(name="main", image="registry.k8s.io/pause:3.10")
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels=labels),
        spec=client.V1PodSpec(containers=[container], termination_grace_period_seconds=0),
    )


def refusal(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as error:
        return error
    raise AssertionError("it was not refused")


def until(stream, wanted):
    for event in stream:
        if wanted(event):
            return event
    raise AssertionError("the watch ended first")


def pods():
    core = client.CoreV1Api()
    made = core.create_namespaced_pod(NAMESPACE, pod("one", {"app": "py"}))
    assert made.metadata.uid and made.spec.service_account_name == "default", made
    assert refusal(core.create_namespaced_pod, NAMESPACE, pod("one", {})).status == 409
    nameless = client.V1Pod(metadata=client.V1ObjectMeta(name="two"), spec=client.V1PodSpec(containers=[]))
    assert refusal(core.create_namespaced_pod, NAMESPACE, nameless).status == 422

    watcher = watch.Watch()
    stream = watcher.stream(core.list_namespaced_pod, NAMESPACE, label_selector="app=py", timeout_seconds=60)
    until(stream, lambda event: event["object"].status.phase == "Running")
    watcher.stop()

    patched = core.patch_namespaced_pod("one", NAMESPACE, {"metadata": {"annotations": {"kind": "strategic"}}})
    assert patched.metadata.annotations["kind"] == "strategic", patched
    operations = [{"op": "replace", "path": "/metadata/annotations/kind", "value": "json"}]
    assert core.patch_namespaced_pod("one", NAMESPACE, operations).metadata.annotations["kind"] == "json"
    immutable = refusal(core.patch_namespaced_pod, "one", NAMESPACE, {"spec": {"nodeName": "elsewhere"}})
    assert immutable.status == 422 and "pod updates may not change fields" in immutable.body, immutable
    listed = core.list_namespaced_pod(NAMESPACE, label_selector="app in (py)", field_selector="status.phase=Running")
    assert [item.metadata.name for item in listed.items] == ["one"], listed
    core.delete_namespaced_pod("one", NAMESPACE, grace_period_seconds=0)
    stream = watch.Watch().stream(
        core.list_namespaced_pod,
        NAMESPACE,
        label_selector="app=py",
        resource_version=listed.metadata.resource_version,
        timeout_seconds=60,
    )
    until(stream, lambda event: event["type"] == "DELETED")
    assert refusal(core.read_namespaced_pod, "one", NAMESPACE).status == 404


def deployments():
    apps, core = client.AppsV1Api(), client.CoreV1Api()
    labels = {"app": "py-web"}
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=pod("x", labels).spec)
    spec = client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=template)
    apps.create_namespaced_deployment(NAMESPACE, client.V1Deployment(metadata=client.V1ObjectMeta(name="py-web"), spec=spec))

    def ready(count):
        watcher = watch.Watch()
        stream = watcher.stream(apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=90)
        until(stream, lambda event: (event["object"].status.ready_replicas or 0) == count)
        watcher.stop()

    ready(2)
    scale = apps.read_namespaced_deployment_scale("py-web", NAMESPACE)
    scale.spec.replicas = 3
    assert apps.replace_namespaced_deployment_scale("py-web", NAMESPACE, scale).spec.replicas == 3
    ready(3)
    found = apps.read_namespaced_deployment("py-web", NAMESPACE)
    stale = apps.read_namespaced_deployment("py-web", NAMESPACE)
    found.spec.template.spec.containers[0].image = "registry.k8s.io/pause:3.9"
    apps.replace_namespaced_deployment("py-web", NAMESPACE, found)
    stale.spec.replicas = 1
    assert refusal(apps.replace_namespaced_deployment, "py-web", NAMESPACE, stale).status == 409
    apps.delete_namespaced_deployment("py-web", NAMESPACE, propagation_policy="Foreground")
    left = apps.list_namespaced_deployment(NAMESPACE)
    if left.items:
        since = left.metadata.resource_version
        stream = watch.Watch().stream(apps.list_namespaced_deployment, NAMESPACE, resource_version=since, timeout_seconds=90)
        until(stream, lambda event: event["type"] == "DELETED")
    assert core.list_namespaced_pod(NAMESPACE, label_selector="app=py-web").items == []


def resumed():
    """A watch goes on from the version where another one stopped: nothing lost, nothing twice."""
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version

    def write(value):
        body = {"metadata": {"name": "counted", "labels": {"counted": "yes"}}, "data": {"value": str(value)}}
        if value == 0:
            core.create_namespaced_config_map(NAMESPACE, body)
        else:
            core.patch_namespaced_config_map("counted", NAMESPACE, body)

    seen = []
    for value in range(10):
        write(value)
    while len(seen) < 10:
        watcher = watch.Watch()
        stream = watcher.stream(
            core.list_namespaced_config_map, NAMESPACE, label_selector="counted=yes", resource_version=start, timeout_seconds=30
        )
        for event in stream:
            seen.append((event["type"], event["object"].data["value"]))
            start = event["object"].metadata.resource_version
            if len(seen) % 3 == 0 or len(seen) == 10:
                break
        watcher.stop()
    assert seen == [("ADDED" if value == 0 else "MODIFIED", str(value)) for value in range(10)], seen
    pages, token = [], None
    for index in range(7):
        core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": f"page-{index}", "labels": {"paged": "yes"}}})
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, label_selector="paged=yes", limit=3, _continue=token)
        pages.append([item.metadata.name for item in page.items])
        token = page.metadata._continue
        if not token:
            break
    assert [name for page in pages for name in page] == [f"page-{index}" for index in range(7)] and len(pages) > 1, pages


def custom():
    """Custom objects, by the typed calls and by the dynamic client, which finds them in discovery."""
    properties = {
        "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}, "shade": {"type": "string"}}},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        "subresources": {"status": {}},
    }
    names = {"plural": "lamps", "singular": "lamp", "kind": "Lamp", "listKind": "LampList"}
    definitions = client.ApiextensionsV1Api()
    definitions.create_custom_resource_definition(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"lamps.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
        }
    )
    watcher = watch.Watch()
    stream = watcher.stream(definitions.list_custom_resource_definition, timeout_seconds=30)
    until(stream, lambda event: any(c.type == "Established" and c.status == "True" for c in event["object"].status.conditions or []))
    watcher.stop()

    lamp = {"apiVersion": f"{GROUP}/v1", "kind": "Lamp", "metadata": {"name": "a"}, "spec": {"size": 2}}
    custom = client.CustomObjectsApi()
    place = (GROUP, "v1", NAMESPACE, "lamps")
    made = custom.create_namespaced_custom_object(*place, lamp)
    since = made["metadata"]["resourceVersion"]
    too_small = {**lamp, "metadata": {"name": "b"}, "spec": {"size": 0}}
    refused = refusal(custom.create_namespaced_custom_object, *place, too_small)
    assert refused.status == 422 and "spec.size in body should be greater than or equal to 1" in refused.body, refused
    assert custom.patch_namespaced_custom_object(*place, "a", {"spec": {"shade": "green"}})["spec"] == {"size": 2, "shade": "green"}
    custom.patch_namespaced_custom_object_status(*place, "a", {"status": {"lit": True}, "spec": {"size": 9}})
    found = custom.get_namespaced_custom_object(*place, "a")
    assert found["spec"]["size"] == 2 and found["status"] == {"lit": True}, found
    stream = watch.Watch().stream(custom.list_namespaced_custom_object, *place, resource_version=since, timeout_seconds=30)
    changes = [next(stream), next(stream)]
    assert [event["object"].get("status") for event in changes] == [None, {"lit": True}], changes

    found = dynamic.DynamicClient(client.ApiClient())
    lamps = found.resources.get(api_version=f"{GROUP}/v1", kind="Lamp")
    assert lamps.namespaced and lamps.name == "lamps", lamps
    applied = lamps.server_side_apply(
        body={**lamp, "metadata": {"name": "a"}, "spec": {"size": 5}}, namespace=NAMESPACE, field_manager="py", force_conflicts=True
    )
    assert applied.spec.size == 5 and applied.spec.shade == "green", applied
    assert [item.metadata.name for item in lamps.get(namespace=NAMESPACE).items] == ["a"]
    for group_version, kind in [("v1", "Node"), ("apps/v1", "Deployment"), ("batch/v1", "CronJob"), ("networking.k8s.io/v1", "Ingress")]:
        assert found.resources.get(api_version=group_version, kind=kind).kind == kind
    assert found.resources.get(api_version="v1", kind="Node").get().items, "no node was listed"
    custom.delete_namespaced_custom_object(*place, "a")
    assert refusal(custom.get_namespaced_custom_object, *place, "a").status == 404
    definitions.delete_custom_resource_definition(f"lamps.{GROUP}")


config.load_kube_config()
{"pods": pods, "deployments": deployments, "resumed": resumed, "custom": custom}[sys.argv[1]]()
print("done")

// `informer.mjs FOLDER NAMESPACE`: an informer of @kubernetes/client-node, found in FOLDER, that prints each thing it hears as a line of JSON.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder = "", namespace = ""] = process.argv.slice(2);
const entry = createRequire(join(folder, "here.js")).resolve("@kubernetes/client-node");
const { KubeConfig, CoreV1Api, makeInformer } = await import(pathToFileURL(entry).href);

const config = new KubeConfig();
config.loadFromDefault();
const api = config.makeApiClient(CoreV1Api);
const lists = () => {
  say({ event: "list" });
  return api.listNamespacedConfigMap({ namespace, labelSelector: "seen=yes" });
};
const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, lists, "seen=yes");

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

for (const event of ["add", "update", "delete"]) {
  informer.on(event, ({ metadata, data }) => say({ event, name: metadata.name, value: data.value }));
}
informer.on("connect", () => say({ event: "connect" }));
informer.on("error", (error) => {
  say({ event: "error", message: String(error) });
  // As the library's own example does.
  setTimeout(() => informer.start(), 200);
});
await informer.start();

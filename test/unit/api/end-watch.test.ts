import { describe, expect, it } from "vitest";
import { endWatchBy } from "../../../shared/api/end-watch.ts";

const pods = "/clusters/c/api/v1/namespaces/default/pods";

describe("a watch whose time is bounded by its host", () => {
  it.each([
    `${pods}?watch=true`,
    `${pods}?watch=1&allowWatchBookmarks=true`,
    `${pods}?watch=True`,
    `${pods}?watch`,
    `${pods}?watch=true&timeoutSeconds=3600`,
    "/api/v1/watch/namespaces/default/pods",
    "/apis/apps/v1/watch/deployments?resourceVersion=5",
  ])("ends itself in time: %s", (url) => {
    const [path, query] = endWatchBy(url, 290.7).split("?");
    const asked = new URLSearchParams(url.split("?")[1]);
    asked.set("timeoutSeconds", "290");
    expect([path, query]).toEqual([url.split("?")[0], asked.toString()]);
  });

  it.each([
    `${pods}?watch=true&timeoutSeconds=60`,
    `${pods}?watch=false`,
    pods,
    `${pods}/watch`,
    "/v1/watch=true",
    `${pods}?watch=true&timeoutSeconds=x`,
  ])("goes on as it is where it is none or ends before: %s", (url) => expect(endWatchBy(url, 290)).toBe(url));
});

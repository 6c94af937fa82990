import { afterAll, beforeAll, describe, expect, it } from "vitest";
import baseline from "./baseline.json" with { type: "json" };
import { readRecording } from "./recording.ts";
import { replay } from "./replay.ts";
import { type ServerFixture, startServer } from "./server-fixture.ts";

/** Documents first: what is served grows with the custom resources of other scenarios. */
const recording = (["statuses", "recorded", "validation", "requests"] as const).flatMap((file) => readRecording(file));
const known: Readonly<Record<string, number>> = baseline;

it("replays every recorded exchange", () => {
  expect(recording).toHaveLength(120);
  expect(recording.flatMap(({ steps }) => steps)).toHaveLength(3087);
  expect(Object.keys(known).sort()).toEqual(recording.map(({ name }) => name).sort());
});

/** The baseline says how many answers of each scenario were the same; they may become more, never fewer. */
describe("answers as kube-apiserver 1.33 gave them", () => {
  let server: ServerFixture | undefined;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server?.stop());

  /** Of its own for each try. */
  let namespaces = 0;
  it.each(recording.map((scenario, position) => ({ ...scenario, position })))("$name", async (scenario) => {
    if (!server) throw new Error("no server");
    const outcomes = await replay(scenario, server.send, `parity-${process.pid}-${scenario.position}-${namespaces++}`);
    const differing = outcomes.filter(({ differences }) => differences.length > 0);
    const same = outcomes.length - differing.length;
    const report = differing.map(({ request, differences }) => `${request}\n   ${differences.slice(0, 8).join("\n   ")}`).join("\n");
    if (process.env.PARITY_VERBOSE !== undefined && report !== "")
      console.log(`${scenario.name}: ${same} of ${outcomes.length}\n${report}`);
    expect(same, report).toBeGreaterThanOrEqual(known[scenario.name] ?? 0);
  });
});

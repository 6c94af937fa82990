import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, it } from "vitest";
import { openCli } from "./fixture.ts";

describe("shell completion", () => {
  const scripts: Record<string, string> = {};
  beforeAll(async () => {
    const cli = await openCli();
    for (const shell of ["bash", "zsh", "fish"]) scripts[shell] = (await cli.run("completion", shell)).stdout;
    await cli.dispose();
  });

  it.each<[string[], string[]]>([
    [["coracle", "cl"], ["cluster"]],
    [["coracle", "cluster", "re"], ["resize"]],
    [
      ["coracle", "cluster", "create", "dev", "--no"],
      ["--nodes", "--no-wait"],
    ],
    [
      ["coracle", "cluster", "list", "-o", ""],
      ["table", "wide", "json", "yaml", "name"],
    ],
    [
      ["coracle", "completion", ""],
      ["bash", "zsh", "fish"],
    ],
  ])("in bash offers for %j what may follow", (words, expected) => {
    const script = `${scripts.bash}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _coracle; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toEqual(expect.arrayContaining(expected));
  });

  it.each(["zsh", "fish"])("for %s names every command", (shell) => {
    for (const word of ["cluster", "kubeconfig", "join", "revoke"]) expect(scripts[shell]).toContain(word);
  });
});

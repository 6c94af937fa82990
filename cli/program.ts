import { Argument, Command, CommanderError } from "commander";
import { addClusterCommands } from "./commands/cluster.ts";
import { addLoginCommands } from "./commands/login.ts";
import { addNodeCommands } from "./commands/node.ts";
import { addPoolCommands } from "./commands/pool.ts";
import { addKeyCommands, addTokenCommands } from "./commands/tokens-and-keys.ts";
import { addUsageCommand } from "./commands/usage.ts";
import { completionScript, type Shell, shells } from "./completion.ts";
import type { CliContext } from "./context.ts";
import { CliError, exitCodes, isCliError } from "./exit-codes.ts";
import { renderTable } from "./output.ts";

const interruptedCode = 130;

export function createProgram(context: CliContext): Command {
  const program = new Command("coracle")
    .description("Clusters of the Kubernetes API, turned up and down like virtual machines.")
    .option("--data-dir <directory>", "the data directory of an embedded host, to find its address and key in")
    .exitOverride()
    .showHelpAfterError("(--help shows what there is)")
    .configureHelp({ sortSubcommands: false })
    .helpCommand(false)
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) });
  addClusterCommands(program, context);
  addPoolCommands(program, context);
  addNodeCommands(program, context);
  addTokenCommands(program, context);
  addKeyCommands(program, context);
  addUsageCommand(program, context);
  addLoginCommands(program, context);
  program
    .command("completion")
    .description("print a completion script")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .action((shell: Shell) => context.stdout.write(completionScript(program, shell)));
  program
    .command("version")
    .description("show the version of this program")
    .action(() => context.stdout.write(`coracle ${context.version}\n`));
  program
    .command("help [topic...]")
    .description("show help on a command, or on the topic exit-codes")
    .action((topic: string[]) => showHelp(program, context, topic));
  return program;
}

function showHelp(program: Command, context: CliContext, topic: readonly string[]): void {
  if (topic[0] === "exit-codes") {
    context.stdout.write(
      renderTable([["CODE", "MEANING"], ...Object.values(exitCodes).map(({ code, meaning }) => [String(code), meaning])]),
    );
    return;
  }
  let command = program;
  for (const word of topic) {
    const child = command.commands.find((candidate) => candidate.name() === word || candidate.aliases().includes(word));
    if (!child) throw new CliError("usage", `there is no command "${topic.join(" ")}"`);
    command = child;
  }
  command.outputHelp();
}

/** Runs one call of the CLI; answers its exit code. Every failure becomes one line on stderr. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync(args.length === 0 ? ["help"] : [...args], { from: "user" });
    return exitCodes.ok.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok.code : exitCodes.usage.code;
    if (context.interrupted.aborted) return interruptedCode;
    context.stderr.write(`coracle: ${messageOf(error)}\n`);
    if (context.environment.CORACLE_DEBUG && error instanceof Error) context.stderr.write(`${error.stack}\n`);
    return isCliError(error) ? exitCodes[error.reason].code : exitCodes.failure.code;
  }
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? "failed";
}

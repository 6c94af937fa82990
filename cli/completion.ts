import type { Command } from "commander";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

interface Word {
  readonly word: string;
  readonly description: string;
  /** `-o` without its dash. */
  readonly short?: string;
  readonly takesValue?: boolean;
}

/** One command of the tree: how it is called, and what may follow. */
interface Place {
  readonly path: string;
  readonly words: readonly Word[];
  /** Values of the options that have a fixed set of them. */
  readonly choices: readonly { readonly flags: readonly string[]; readonly values: readonly string[] }[];
}

/** The completion script of a shell, made of the commands and options that the program really has. */
export function completionScript(program: Command, shell: Shell): string {
  const places = [...walk(program, program.name())];
  switch (shell) {
    case "bash":
      return bash(program.name(), places);
    case "zsh":
      return zsh(program.name(), places);
    case "fish":
      return fish(program.name(), places);
    default:
      return shell satisfies never;
  }
}

function* walk(command: Command, path: string): Generator<Place> {
  const children = command.commands.filter((child) => child.name() !== "help");
  const options = [...command.options, ...(command.parent ? ancestorOptions(command) : [])].filter(({ hidden }) => !hidden);
  const positional = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices.map((word) => ({ word, description: "" })));
  yield {
    path,
    words: [
      ...children.map((child) => ({ word: child.name(), description: child.description() })),
      ...positional,
      ...options.flatMap(({ long, short, description, required }): Word[] =>
        long ? [{ word: long, description, takesValue: required, ...(short && { short: short.slice(1) }) }] : [],
      ),
      { word: "--help", description: "show help" },
    ],
    choices: options.flatMap(({ argChoices, long, short }) =>
      argChoices ? [{ flags: [long, short].flatMap((flag) => flag ?? []), values: argChoices }] : [],
    ),
  };
  for (const child of children) yield* walk(child, `${path} ${child.name()}`);
}

const ancestorOptions = (command: Command): Command["options"] =>
  command.parent ? [...command.parent.options, ...ancestorOptions(command.parent)] : [];

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
const list = (words: readonly string[]): string => words.join(" ");

/** What both shells share: from the words typed so far to the place in the tree, and from there to what may follow. */
function cases(places: readonly Place[]): { steps: string; words: string; values: string } {
  const steps = places
    .slice(1)
    .map(({ path }) => quote(path))
    .join("|");
  const words = places.map(({ path, words }) => `    ${quote(path)}) words=${quote(list(words.map(({ word }) => word)))} ;;`).join("\n");
  const values = places
    .flatMap(({ path, choices }) =>
      choices.map(({ flags, values }) => `    ${flags.map((flag) => quote(`${path} ${flag}`)).join("|")}) words=${quote(list(values))} ;;`),
    )
    .join("\n");
  return { steps, words, values };
}

function bash(name: string, places: readonly Place[]): string {
  const { steps, words, values } = cases(places);
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}() {
  local path=${quote(name)} words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path \${COMP_WORDS[index]}" in
      ${steps}) path="$path \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$path" in
${words}
  esac
  case "$path \${COMP_WORDS[COMP_CWORD - 1]}" in
${values}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _${name} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  const { steps, words, values } = cases(places);
  return `#compdef ${name}
# zsh completion of ${name}: source <(${name} completion zsh)
_${name}() {
  local path_=${quote(name)} words_='' index
  for ((index = 2; index < CURRENT; index++)); do
    case "$path_ \${words[index]}" in
      ${steps}) path_="$path_ \${words[index]}" ;;
    esac
  done
  case "$path_" in
${words.replaceAll(") words=", ") words_=")}
  esac
  case "$path_ \${words[CURRENT-1]}" in
${values.replaceAll(") words=", ") words_=")}
  esac
  compadd -- \${=words_}
}
compdef _${name} ${name}
`;
}

function fish(name: string, places: readonly Place[]): string {
  const at = `__${name}_at`;
  const steps = places
    .slice(1)
    .map(({ path }) => quote(path))
    .join(" ");
  const lines = places.flatMap(({ path, words, choices }) => [
    ...words.map(({ word, description, short, takesValue }) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}${short ? ` -s ${short}` : ""}` : `-a ${word}`;
      const values = choices.find(({ flags }) => flags.includes(word))?.values;
      const value = values ? ` -x -a ${quote(list(values))}` : takesValue ? " -r" : "";
      return `complete -c ${name} -n ${quote(`${at} ${quote(path)}`)} ${what}${value} -d ${quote(description)}`;
    }),
  ]);
  return `# fish completion of ${name}: ${name} completion fish | source
function ${at}
  set -l path ${name}
  for word in (commandline -opc)[2..]
    contains -- "$path $word" ${steps}; and set path "$path $word"
  end
  test "$path" = "$argv[1]"
end
complete -c ${name} -f
${lines.join("\n")}
`;
}

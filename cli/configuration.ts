import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { CliContext } from "./context.ts";
import { CliError } from "./exit-codes.ts";

/** Which installation the CLI speaks to, and as whom. */
export interface Server {
  readonly url: string;
  readonly apiKey: string;
  /** PEM; absent: the system's authorities. */
  readonly ca: string | undefined;
  /** Where this was found, for messages. */
  readonly source: string;
  /** The data directory of an embedded host, when it came from one. */
  readonly dataDirectory: string | undefined;
}

export const configPath = ({ environment, homeDirectory }: CliContext): string =>
  join(environment.XDG_CONFIG_HOME || join(homeDirectory, ".config"), "coracle", "config.json");

/**
 * Looks, in this order, at `--data-dir`, CORACLE_URL with CORACLE_API_KEY (and CORACLE_CA, a file), CORACLE_DATA_DIR, `.coracle` in
 * the working directory, and what `coracle login` stored. @throws CliError `notAuthorised` when there is none of them
 */
export async function findServer(context: CliContext, dataDirectory: string | undefined): Promise<Server> {
  if (dataDirectory !== undefined) return needDataDirectory(context, dataDirectory);
  const { CORACLE_URL: url, CORACLE_API_KEY: apiKey, CORACLE_CA: caFile, CORACLE_DATA_DIR: named } = context.environment;
  if (url && apiKey) {
    const ca = caFile ? await readFile(resolve(context.workingDirectory, caFile), "utf8") : undefined;
    return { url: trimmed(url), apiKey, ca, source: "CORACLE_URL", dataDirectory: undefined };
  }
  if (named) return needDataDirectory(context, named);
  const found = (await readDataDirectory(context, ".coracle")) ?? (await readServer(configPath(context), undefined));
  if (found) return found;
  throw new CliError(
    "notAuthorised",
    "not logged in: run `coracle login --url URL --api-key KEY`, or run `npm start` and call the CLI from the same directory",
  );
}

async function needDataDirectory(context: CliContext, directory: string): Promise<Server> {
  const found = await readDataDirectory(context, directory);
  if (found) return found;
  throw new CliError("notAuthorised", `there is no admin.json in ${directory}: has the server been started there?`);
}

function readDataDirectory({ workingDirectory }: CliContext, directory: string): Promise<Server | undefined> {
  const path = resolve(workingDirectory, directory);
  return readServer(join(path, "admin.json"), path);
}

async function readServer(path: string, dataDirectory: string | undefined): Promise<Server | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return undefined;
    throw new CliError("failure", `${path} cannot be read`, error);
  }
  const parsed = parseJson(text);
  const { url, apiKey, ca } = parsed ?? {};
  if (typeof url !== "string" || typeof apiKey !== "string" || (ca !== undefined && typeof ca !== "string")) {
    throw new CliError("failure", `${path} is not a file of the coracle CLI`);
  }
  return { url: trimmed(url), apiKey, ca, source: path, dataDirectory };
}

/** Stores a login, readable by its owner alone, replacing the file as a whole. */
export async function saveServer(context: CliContext, server: Pick<Server, "url" | "apiKey" | "ca">): Promise<string> {
  const path = configPath(context);
  const { url, apiKey, ca } = server;
  await writePrivate(path, `${JSON.stringify({ url, apiKey, ...(ca !== undefined && { ca }) }, undefined, 2)}\n`, context.uid());
  return path;
}

/** Writes beside and renames, so that nobody ever sees half a file; mode 0600. */
export async function writePrivate(path: string, text: string, unique: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${unique}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}

export function hasCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}

const trimmed = (url: string): string => url.replace(/\/+$/, "");

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

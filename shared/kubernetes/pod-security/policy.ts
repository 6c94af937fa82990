export type Level = "privileged" | "baseline" | "restricted";

/** A level of the Pod Security Standards as of a minor version of Kubernetes 1; Infinity: the latest. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

export interface PodSecurityPolicy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export interface LabelError {
  readonly label: string;
  readonly value: string;
  readonly message: string;
}

const prefix = "pod-security.kubernetes.io/";
const levels: readonly Level[] = ["privileged", "baseline", "restricted"];
const latest = Number.POSITIVE_INFINITY;
const open: LevelVersion = { level: "privileged", minor: latest };

/** What a namespace without labels has. */
const defaultPolicy: PodSecurityPolicy = { enforce: open, audit: open, warn: open };

export const strictness = (level: Level): number => levels.indexOf(level);
export const describeLevel = ({ level, minor }: LevelVersion): string => `${level}:${minor === latest ? "latest" : `v1.${minor}`}`;
export const sameLevel = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.minor === b.minor;

/**
 * The policy that a namespace's labels say (k8s.io/pod-security-admission `PolicyToEvaluate`). What cannot be read counts as restricted for
 * `enforce` and is left out of `audit` and `warn`; who enforces without a word about warnings is warned of the same.
 */
export function policyOf(labels: Readonly<Record<string, string>> | undefined): { policy: PodSecurityPolicy; errors: LabelError[] } {
  const errors: LabelError[] = [];
  if (!labels || !Object.keys(labels).some((label) => label.startsWith(prefix))) return { policy: defaultPolicy, errors };
  const read = <Value>(name: string, parse: (text: string) => Value | undefined, fallback: Value, message: string): Value | undefined => {
    const value = labels[prefix + name];
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) errors.push({ label: prefix + name, value, message });
    return parsed ?? fallback;
  };
  const level = (mode: string, fallback: Level): Level | undefined =>
    read(mode, (text) => levels.find((known) => known === text), fallback, `must be one of ${levels.join(", ")}`);
  const version = (mode: string): number | undefined => read(`${mode}-version`, parseVersion, latest, `must be "latest" or "v1.x"`);
  const enforceLevel = level("enforce", "restricted");
  const understood = enforceLevel !== undefined && errors.length === 0;
  const enforce = { level: enforceLevel ?? "privileged", minor: version("enforce") ?? latest };
  const audit = { level: level("audit", "privileged") ?? "privileged", minor: version("audit") ?? latest };
  const warnLevel = level("warn", "privileged");
  const warnMinor = version("warn");
  const follows = warnLevel === undefined && understood && strictness(enforce.level) > 0;
  const warn = follows
    ? { level: enforce.level, minor: warnMinor ?? enforce.minor }
    : { level: warnLevel ?? "privileged", minor: warnMinor ?? latest };
  return { policy: { enforce, audit, warn }, errors };
}

function parseVersion(text: string): number | undefined {
  if (text === "latest") return latest;
  const minor = /^v1\.([0-9]|[1-9][0-9]*)$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

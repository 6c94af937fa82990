export const bundle: URL;
export const packages: string;
export function keepCompiled(): void;
export function bundledFrom(source: string): string | undefined;
export function stampOf(path: string): string | undefined;
// biome-ignore lint/suspicious/noExplicitAny: each program exports what it likes
export function importProgram(source: string): Promise<any>;

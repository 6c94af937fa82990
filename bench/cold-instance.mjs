/** One cold start: loads a bundle and hands it its first event. Prints milliseconds: until the module is there, and from then to the answer. */
const [bundle, event] = process.argv.slice(2);
const startMs = performance.now();
const cpuStart = process.cpuUsage();
const { handler } = await import(bundle);
const loadedMs = performance.now();
const deadline = Date.now() + 60_000;
const answer = await handler(JSON.parse(event), { getRemainingTimeInMillis: () => deadline - Date.now() });
const endMs = performance.now();
const { user, system } = process.cpuUsage(cpuStart);
const figures = { loadMs: loadedMs - startMs, firstMs: endMs - loadedMs, cpuMs: (user + system) / 1000, answer };
process.stdout.write(JSON.stringify(figures), () => process.exit(0));

// Health check of a container: `node deploy/docker/healthy.cjs 9400` asks /readyz and ends with 0 when it is ready.
const port = Number(process.argv[2]);
fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) }).then(
  (response) => process.exit(response.ok ? 0 : 1),
  () => process.exit(1),
);

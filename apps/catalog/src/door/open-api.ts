import type { AreaClient } from './area-client';
import { areaPrefix, type AreaName } from './areas';

/** The parts of an OpenAPI 3.1 document that are merged; everything else is the catalog's own. */
export interface OpenApi {
  openapi: string;
  info: Record<string, unknown>;
  paths: Record<string, Record<string, unknown>>;
  tags?: { name: string }[];
  components?: Record<string, Record<string, unknown>>;
  [extension: `x-${string}`]: unknown;
}

/** An area that could not be described. */
interface MissingArea {
  readonly area: AreaName;
  readonly reason: string;
}

const MAX_DOCUMENT_BYTES = 5 * 1024 * 1024;
const ANSWER_WITHIN_MS = 3_000;

/**
 * One document for the whole admin API: the catalog's own, and that of every area that answers. Areas that do not are
 * named in `x-sallyport-areas`, so that a reader knows what the document does not tell.
 *
 * @param authorization the caller's, which each area asks for
 */
export async function mergedOpenApi(
  own: OpenApi,
  clients: ReadonlyMap<AreaName, AreaClient>,
  authorization: string,
): Promise<OpenApi> {
  const read = await Promise.all(
    [...clients].map(async ([area, client]) => ({ area, document: await readDocument(area, client, authorization) })),
  );
  const merged = structuredClone(own);
  merged.components ??= {};
  const missing: MissingArea[] = [];
  for (const { area, document } of read) {
    if (typeof document === 'string') missing.push({ area, reason: document });
    else addArea(merged, area, document);
  }
  merged['x-sallyport-areas'] = {
    described: ['catalog', ...read.filter(({ document }) => typeof document !== 'string').map(({ area }) => area)],
    missing,
  };
  return merged;
}

/** @returns the document, or why there is none. */
async function readDocument(area: AreaName, client: AreaClient, authorization: string): Promise<OpenApi | string> {
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: `${areaPrefix(area)}/openapi.json`,
      headers: { authorization, accept: 'application/json' },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    const text = await textOf(body);
    if (statusCode !== 200) return `the service answered ${statusCode}`;
    const document = JSON.parse(text) as OpenApi;
    return typeof document.paths === 'object' && document.paths !== null ? document : 'the service gave no document';
  } catch {
    return 'the service does not answer';
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_DOCUMENT_BYTES) throw new RangeError('the document is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Schemas and operations of an area carry its name, so that two areas may call theirs alike. */
function addArea(merged: OpenApi, area: AreaName, document: OpenApi): void {
  const renamed = renameReferences(document, area) as OpenApi;
  for (const [path, item] of Object.entries(renamed.paths)) {
    if (!path.startsWith(areaPrefix(area))) continue;
    for (const operation of Object.values(item)) markOperation(operation, area);
    merged.paths[path] = item;
  }
  for (const [section, entries] of Object.entries(renamed.components ?? {})) {
    if (section === 'securitySchemes') continue;
    const target = (merged.components![section] ??= {});
    for (const [name, entry] of Object.entries(entries)) target[`${area}.${name}`] = entry;
  }
}

function markOperation(operation: unknown, area: AreaName): void {
  if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) return;
  const marked = operation as { operationId?: string; tags?: string[] };
  if (marked.operationId !== undefined) marked.operationId = `${area}_${marked.operationId}`;
  marked.tags = (marked.tags ?? [area]).map((tag) => (tag === area ? tag : `${area}: ${tag}`));
}

function renameReferences(value: unknown, area: AreaName): unknown {
  if (Array.isArray(value)) return value.map((element) => renameReferences(element, area));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === '$ref' && typeof member === 'string'
        ? member.replace(/^#\/components\/(?!securitySchemes)(\w+)\//, `#/components/$1/${area}.`)
        : renameReferences(member, area),
    ]),
  );
}

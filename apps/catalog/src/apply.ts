import {
  canonicalJson,
  detailOf,
  RefusalError,
  type Declarative,
  type DeclaredService,
  type Json,
  type VersionSpec,
} from '@sallyport/contracts';
import { unconditional, type Editing } from './editing';
import { kinds, placedIn } from './kinds';
import { isStepRefused, newborn, stepsTo } from './lifecycle';
import { versions, type VersionRow } from './store/services';
import { declaredOf } from './views';

/**
 * Edits what differs between the catalog and a document, and nothing else: applying a document twice is one edit.
 *
 * @throws RefusalError with pointers into the document
 */
export async function applyDocument(document: Declarative, editing: Editing): Promise<void> {
  const { manager, tenant } = editing;
  for (const kind of kinds) {
    const present = new Map(
      (await kind.table.all(manager)).filter((row) => row.tenant === tenant).map((row) => [row.name, row]),
    );
    for (const { declared, place } of placedIn(document, kind)) {
      const row = present.get(declared.name);
      await at(place, async () => {
        if (!row) await editing.createNamed(kind, declared);
        else if (!same(declaredOf(row), declared)) {
          await editing.replaceNamed(kind, declared.name, () => declared, unconditional);
        }
      });
    }
  }
  const present = new Map(
    (await versions.all(manager))
      .filter((row) => row.tenant === tenant)
      .map((row) => [`${row.service}/${row.version}`, row]),
  );
  for (const [index, declared] of document.services.entries()) {
    const row = present.get(`${declared.name}/${declared.version}`);
    await at(`/services/${index}`, () => applyVersion(declared, row, editing));
  }
}

async function applyVersion(declared: DeclaredService, row: VersionRow | undefined, editing: Editing): Promise<void> {
  const { name, kind: _, version, lifecycle, ...spec } = declared;
  await editing.ensureService(declared);
  if (!row) await editing.createVersion(name, version, spec);
  else if (!same(withPath(row.spec, name), withPath(spec, name))) {
    await editing.editVersion(name, version, () => spec, unconditional);
  }
  await at('/lifecycle', async () => {
    const steps = stepsTo(row?.life ?? newborn, lifecycle, editing.now);
    if (isStepRefused(steps)) throw new RefusalError(steps.refusal, steps.violations);
    for (const step of steps) await editing.stepVersion(name, version, step);
  });
}

/** `/orders` said and `/orders` left out are the same. */
function withPath(spec: VersionSpec, service: string): VersionSpec {
  return { ...spec, path: spec.path ?? `/${service}` };
}

function same(left: object, right: object): boolean {
  return canonicalJson(left as Json) === canonicalJson(right as Json);
}

/** Moves what a refusal points at to its place in the document. */
async function at(place: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    const violations =
      error.errors.length > 0
        ? error.errors.map((violation) => ({ ...violation, pointer: place + violation.pointer }))
        : [{ pointer: place, code: error.refusal.code, detail: detailOf(error.refusal) }];
    throw new RefusalError(error.refusal, violations);
  }
}

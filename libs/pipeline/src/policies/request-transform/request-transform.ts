import { z } from 'zod';
import { refuse, type Refusal } from '@sallyport/contracts';
import { isFormType, isJsonType } from '@sallyport/waf';
import { wholeBodyBytes } from '../../config-values';
import type { RequestDraft } from '../../draft';
import { compileFieldOperations, compileSource, fieldOperations, type HeadStep } from '../../json/field-operations';
import { readQuery } from '../request-validation/parameters';
import {
  compileOperations,
  documentOfForm,
  formOfDocument,
  jsonOperation,
  NotTransformable,
  pointerText,
} from '../../json/operations';
import { JsonFault, jsonBoundsOf, readExactJson, writeExactJson, type ExactJson } from '../../json/strict-json';
import { definePolicy, pass, type PolicyInput } from '../../policy';
import { fieldsReferredTo, templateText, textsOf } from '../../text-template';

const FORM = 'application/x-www-form-urlencoded';

const parameterName = z.string().min(1).max(256);

const config = z.strictObject({
  /** Done to the JSON of the body, in order. */
  json: z.array(jsonOperation).max(64).default([]),
  /** `form-to-json` comes before the operations, `json-to-form` after them. */
  convert: z.enum(['form-to-json', 'json-to-form']).optional(),
  fields: fieldOperations,
  query: z
    .array(
      z.union([
        z.strictObject({ set: parameterName, text: templateText }),
        z.strictObject({ set: parameterName, body: pointerText }),
        z.strictObject({ rename: parameterName, to: parameterName }),
        z.strictObject({ remove: parameterName }),
      ]),
    )
    .max(64)
    .default([]),
  /** What becomes of a body that is not of the form that is transformed. */
  otherTypes: z.enum(['refuse', 'pass']).default('refuse'),
  maxBodyBytes: wholeBodyBytes,
});
type Config = z.output<typeof config>;

export const requestTransform = definePolicy({
  id: 'request-transform',
  summary: 'Changes the JSON, fields and query of a request on its way to the upstream.',
  config,
  reads: ({ json, fields, query }) => fieldsReferredTo(textsOf([...json, ...fields, ...query])),
  example: {
    json: [
      { rename: '/customerId', to: 'customer' },
      { set: '/source', text: '{consumer}' },
    ],
    fields: [{ set: 'x-order', body: '/id' }],
  },
  compile: (given) => {
    const headSteps = [...compileFieldOperations(given.fields, 'remove'), queryStep(given.query)];
    const readsBody =
      given.json.length > 0 ||
      given.convert !== undefined ||
      [...given.fields, ...given.query].some((step) => 'body' in step);
    const transform = compileOperations(given.json);
    const changesBody = given.json.length > 0 || given.convert !== undefined;
    if (!readsBody) return { shape: (input, draft) => edited(headSteps, draft, input, undefined) };
    return {
      shape: (input, draft) =>
        input.request.hasBody && input.request.contentLength !== 0 ? pass : edited(headSteps, draft, input, undefined),
      requestBody: {
        mode: 'whole',
        maxBytes: given.maxBodyBytes,
        wants: ({ request }) => request.hasBody && request.contentLength !== 0,
        run: (input, body, draft, done) => {
          const document = documentOf(input, body, given);
          if (document === undefined) return done(edited(headSteps, draft, input, undefined));
          if (isRefusalOf(document)) return done(document);
          const made = transform(document.value, input);
          if (made instanceof NotTransformable) return done(impossible(made.reason));
          const fault = edited(headSteps, draft, input, made);
          if (fault || !changesBody) return done(fault);
          done(written(made, given, draft));
        },
      },
    };
  },
});

function isRefusalOf(value: object): value is Refusal {
  return 'refused' in value;
}

function impossible(reason: string): Refusal {
  return refuse('TRANSFORM_REQUEST_IMPOSSIBLE', { reason });
}

/** @returns undefined where the body may pass as it is */
function documentOf(
  { request, exchange }: PolicyInput,
  body: Buffer,
  { convert, otherTypes }: Config,
): { value: ExactJson } | Refusal | undefined {
  const isForm = convert === 'form-to-json';
  const essence = request.mediaType ?? '';
  const isPlain = (request.field.get('content-encoding') ?? 'identity').toLowerCase() === 'identity';
  if (!isPlain || (isForm ? !isFormType(essence) : !isJsonType(essence))) {
    return otherTypes === 'pass'
      ? undefined
      : refuse('MEDIA_TYPE_UNSUPPORTED', {
          accepted: `${isForm ? FORM : 'application/json'} without a content coding`,
        });
  }
  if (isForm) {
    const form = readQuery(body.toString('latin1'));
    return form
      ? { value: documentOfForm(form) }
      : refuse('REQUEST_MALFORMED', { reason: 'the form has an escape that cannot be read' });
  }
  const read = readExactJson(body, jsonBoundsOf(exchange.route));
  return read instanceof JsonFault
    ? refuse('REQUEST_MALFORMED', { reason: `the body ${read.what}, at ${read.at}` })
    : read;
}

function written(document: ExactJson, { convert }: Config, draft: RequestDraft): Buffer | Refusal {
  draft.dropDigests();
  if (convert === 'json-to-form') {
    const form = formOfDocument(document);
    if (form instanceof NotTransformable) return impossible(form.reason);
    draft.fields.set('content-type', FORM);
    return Buffer.from(form);
  }
  if (convert === 'form-to-json') draft.fields.set('content-type', 'application/json');
  return Buffer.from(writeExactJson(document));
}

function edited(
  steps: readonly HeadStep<RequestDraft>[],
  draft: RequestDraft,
  input: PolicyInput,
  document: ExactJson | undefined,
): Refusal | undefined {
  for (const step of steps) step(draft, input, document);
  return pass;
}

/** The query is read once, and written only when something changed. */
function queryStep(steps: Config['query']): HeadStep<RequestDraft> {
  if (steps.length === 0) return () => undefined;
  const compiled = steps.map((step) => ({ step, source: 'set' in step ? compileSource(step) : undefined }));
  return (draft, input, document) => {
    let pairs = draft.query === undefined || draft.query === '' ? [] : draft.query.split('&').map(readPair);
    for (const { step, source } of compiled) {
      if ('remove' in step) pairs = pairs.filter(({ name }) => name !== step.remove);
      else if ('rename' in step) pairs = renamed(pairs, step.rename, step.to);
      else {
        const text = source!(input, document);
        // What is set here is never the caller's, not even where there is nothing to set it from.
        pairs = pairs.filter(({ name }) => name !== step.set);
        if (text !== undefined) pairs.push(pairOf(step.set, `=${encodeURIComponent(text.toWellFormed())}`));
      }
    }
    draft.setQuery(pairs.length === 0 ? undefined : pairs.map(({ text }) => text).join('&'));
  };
}

/** One parameter: as it stands there, its name as it is meant, and what stands behind the name. */
interface Pair {
  readonly name: string;
  readonly text: string;
  readonly value: string;
}

/** What had the new name before goes, where there is something to take its place: it would stand there twice. */
function renamed(pairs: readonly Pair[], from: string, to: string): Pair[] {
  if (!pairs.some(({ name }) => name === from)) return [...pairs];
  return pairs
    .filter(({ name }) => name !== to || name === from)
    .map((pair) => (pair.name === from ? pairOf(to, pair.value) : pair));
}

function pairOf(name: string, value: string): Pair {
  return { name, text: `${encodeURIComponent(name)}${value}`, value };
}

function readPair(text: string): Pair {
  const end = text.indexOf('=') < 0 ? text.length : text.indexOf('=');
  const [name] = readQuery(text.slice(0, end))?.keys() ?? [];
  return { name: name ?? text.slice(0, end), text, value: text.slice(end) };
}

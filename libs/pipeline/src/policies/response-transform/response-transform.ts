import { z } from 'zod';
import { refuse, type Refusal } from '@sallyport/contracts';
import { isJsonType } from '@sallyport/waf';
import { wholeBodyBytes } from '../../config-values';
import type { AnswerDraft } from '../../draft';
import { compileFieldOperations, fieldOperations } from '../../json/field-operations';
import { compileOperations, jsonOperation, NotTransformable } from '../../json/operations';
import { JsonFault, readExactJson, writeExactJson, type ExactJson } from '../../json/strict-json';
import { definePolicy, pass, type PolicyInput } from '../../policy';
import { fieldsReferredTo, textsOf } from '../../text-template';

const config = z.strictObject({
  /** Done to the JSON of the answer, in order. */
  json: z.array(jsonOperation).max(64).default([]),
  fields: fieldOperations,
  /** Which answers: those of 2xx with the 304 that speaks of one, or all of the upstream. */
  on: z.enum(['success', 'all']).default('success'),
  /** What becomes of an answer that is not JSON. */
  otherTypes: z.enum(['refuse', 'pass']).default('refuse'),
  maxBodyBytes: wholeBodyBytes,
});
export const responseTransform = definePolicy({
  id: 'response-transform',
  summary: 'Changes the JSON and fields of an answer on its way to the caller.',
  config,
  reads: ({ json, fields }) => fieldsReferredTo(textsOf([...json, ...fields])),
  example: { json: [{ remove: '/internalNotes' }, { wrap: 'data' }], fields: [{ remove: 'x-backend' }] },
  compile: (given) => {
    const steps = compileFieldOperations(given.fields);
    const transform = compileOperations(given.json);
    const changesBody = given.json.length > 0;
    const readsBody = changesBody || given.fields.some((step) => 'body' in step);
    const isMeant = ({ origin, status }: AnswerDraft) =>
      origin !== 'refusal' && (given.on === 'all' || status === 304 || (status >= 200 && status < 300));
    const edit = (draft: AnswerDraft, input: PolicyInput, document?: ExactJson) => {
      for (const step of steps) step(draft, input, document);
      return pass;
    };
    if (!readsBody) return { answerHead: (input, draft) => (isMeant(draft) ? edit(draft, input) : pass) };
    return {
      // Packed, or in parts, it could not be transformed.
      shape: (_, { fields }) => {
        fields.set('accept-encoding', 'identity');
        for (const name of ['range', 'if-range']) fields.remove(name);
        return pass;
      },
      answerHead: (input, draft) => {
        if (!isMeant(draft)) return pass;
        const isOther = draft.fields.has('content-type') && !isTransformable(draft);
        if (isOther && given.otherTypes === 'pass') return pass;
        if (isBodiless(input, draft)) {
          // It describes a body that would have been another one (RFC 9110 §9.3.2, §15.4.5).
          draft.fields.remove('content-length');
          if (changesBody) draft.changeBytes();
          return edit(draft, input);
        }
        return isTransformable(draft) || given.otherTypes === 'pass' ? pass : impossible('it is not JSON as it is');
      },
      answerBody: {
        mode: 'whole',
        maxBytes: given.maxBodyBytes,
        larger: 'refuse',
        wants: (_, draft) => isMeant(draft) && isTransformable(draft),
        run: (input, draft, body, done) => {
          const read = readExactJson(body);
          if (read instanceof JsonFault) return done(impossible(`it ${read.what}, at ${read.at}`));
          const made = transform(read.value, input);
          if (made instanceof NotTransformable) return done(impossible(made.reason));
          edit(draft, input, made);
          if (!changesBody) return done(pass);
          draft.changeBytes();
          done(Buffer.from(writeExactJson(made)));
        },
      },
    };
  },
});

/** The reason is the operator's to read. */
function impossible(reason: string): Refusal {
  return refuse('TRANSFORM_ANSWER_IMPOSSIBLE', {}, { reason });
}

function isBodiless({ request }: PolicyInput, { status }: AnswerDraft): boolean {
  return request.method === 'HEAD' || status === 204 || status === 304;
}

function isTransformable({ fields, status }: AnswerDraft): boolean {
  const essence = (fields.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  return status !== 206 && isJsonType(essence) && (fields.get('content-encoding') ?? 'identity') === 'identity';
}

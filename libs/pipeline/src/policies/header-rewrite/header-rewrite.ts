import { z } from 'zod';
import { isEditable, type FieldDraft } from '../../draft';
import { compilePathTemplate, pathTemplateFault, type PathParameters } from '../../path-template';
import { definePolicy, pass, type PolicyInput } from '../../policy';
import { compileText, fieldsReferredTo, templateText, textTemplateFault, type TextTemplate } from '../../text-template';

const fieldName = z
  .string()
  .transform((name) => name.toLowerCase())
  .refine(isEditable, 'framing, routing, credentials and fields in the name of the gateway are not to be rewritten');

/** Done in this order: taken away, renamed, set, added. */
const edits = z.strictObject({
  remove: z.array(fieldName).max(64).default([]),
  /** From the old name to the new one; what the new name held before is gone. */
  rename: z.record(fieldName, fieldName).default({}),
  /** In the place of whatever was there. */
  set: z.record(fieldName, templateText).default({}),
  /** Beside whatever is there. */
  add: z.record(fieldName, templateText).default({}),
});

type Edits = z.output<typeof edits>;

const config = z
  .strictObject({
    /** A path below the one of the route, such as `/{customer}/orders/{order}`, whose segments may be referred to. */
    path: z.string().max(1024).optional(),
    /** What goes to the upstream. */
    request: edits.optional(),
    /** What goes to the caller. */
    answer: edits.optional(),
    /** Whether refusals of the gateway are rewritten too, and not only answers. */
    refusals: z.boolean().default(true),
  })
  .refine(({ request, answer }) => request !== undefined || answer !== undefined, 'rewrite request, answer or both')
  .superRefine(({ path, request, answer }, context) => {
    const fault = path === undefined ? undefined : pathTemplateFault(path);
    if (fault !== undefined) return context.addIssue({ code: 'custom', path: ['path'], message: fault, input: path });
    const names = path === undefined ? [] : compilePathTemplate(path).names;
    for (const [side, given] of Object.entries({ request, answer })) {
      for (const [kind, texts] of Object.entries({ set: given?.set ?? {}, add: given?.add ?? {} })) {
        for (const [name, text] of Object.entries(texts)) {
          const wrong = textTemplateFault(text, names);
          if (wrong !== undefined)
            context.addIssue({ code: 'custom', path: [side, kind, name], message: wrong, input: text });
        }
      }
    }
  });

export const headerRewrite = definePolicy({
  id: 'header-rewrite',
  summary: 'Sets, adds, renames and removes header fields of what goes upstream and of what goes back.',
  config,
  reads: ({ request, answer }) =>
    fieldsReferredTo(
      [request, answer].flatMap((side) => [side?.set ?? {}, side?.add ?? {}]).flatMap(Object.values<string>),
    ),
  example: {
    request: { set: { 'x-caller': '{consumer}' }, remove: ['x-debug'] },
    answer: { set: { 'strict-transport-security': 'max-age=31536000' }, remove: ['x-runtime'] },
  },
  compile: ({ path, request, answer, refusals }) => {
    const parametersOf = readParameters(path);
    const editRequest = request && compileEdits(request);
    const editAnswer = answer && compileEdits(answer);
    return {
      ...(editRequest && {
        shape: (input, draft) => {
          editRequest(draft.fields, input, parametersOf(input));
          return pass;
        },
      }),
      ...(editAnswer && {
        answerHead: (input, draft) => {
          if (refusals || draft.origin !== 'refusal') editAnswer(draft.fields, input, parametersOf(input));
          return pass;
        },
      }),
    };
  },
});

const NO_PARAMETERS: PathParameters = {};

function readParameters(path: string | undefined): (input: PolicyInput) => PathParameters {
  if (path === undefined) return () => NO_PARAMETERS;
  const template = compilePathTemplate(path);
  return ({ request, exchange }) => template.match(request.path.slice(exchange.matched) || '/') ?? NO_PARAMETERS;
}

type Edit = (fields: FieldDraft, input: PolicyInput, parameters: PathParameters) => void;

function compileEdits({ remove, rename, set, add }: Edits): Edit {
  const renamed = Object.entries(rename);
  const put = compileTexts(set);
  const added = compileTexts(add);
  return (fields, input, parameters) => {
    for (const name of remove) fields.remove(name);
    for (const [from, to] of renamed) move(fields, from, to);
    for (const [name, text] of put) fields.set(name, text(input, parameters));
    for (const [name, text] of added) fields.add(name, text(input, parameters));
  };
}

function compileTexts(texts: Readonly<Record<string, string>>): [string, TextTemplate][] {
  return Object.entries(texts).map(([name, text]) => [name, compileText(text)]);
}

function move(fields: FieldDraft, from: string, to: string): void {
  const values = fields.all(from);
  if (values.length === 0) return;
  fields.remove(from);
  fields.remove(to);
  for (const value of values) fields.add(to, value);
}

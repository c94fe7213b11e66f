import { setBit, type BitSet } from './bit-set';
import type { Bytes } from './bytes';
import type { RuleSet } from './compiled-rules';
import { linksOf } from './fold';
import { compileScanner, isDecidedAlong, type Scanner } from './regex/scanner';
import type { Link, Rule } from './rule-set';
import type { Macro } from './seclang/macro';
import { lowercase } from './transformations/lowercase';
import { removeNulls } from './transformations/remove-nulls';
import { removeWhitespace } from './transformations/remove-whitespace';
import { replaceNulls } from './transformations/replace-nulls';
import type { Transformation } from './transformations/transformation';
import { uppercase } from './transformations/uppercase';
import { variableNumber, variables } from './variables/registry';

const RESPONSE_BODY = variableNumber('RESPONSE_BODY')!;
const LLM_COMPLETION = variableNumber('LLM_COMPLETION')!;
/** What they make of a byte depends on that byte alone, so that a text may be handed to them in pieces. */
const bytewise: readonly Transformation[] = [lowercase, uppercase, removeNulls, replaceNulls, removeWhitespace];
/**
 * Bytes that are looked at between two places at which others may have their turn. What a rule sees of the body where its
 * pattern was found is the piece that completed it and the one before: for its text, and for its groups.
 */
const PIECE = 4096;

/** One form of the body, and what is looked for in it. */
interface FormPlan {
  readonly transformations: readonly Transformation[];
  /** By number of the pattern in the scanner: the links that look for it. */
  readonly links: readonly (readonly Link[])[];
  readonly scanner: () => Scanner;
}

/** By rule set and links: programs that look for the same share an automaton, and what it has learnt. */
const known = new WeakMap<RuleSet, Map<string, FormPlan>>();

/** How the body of an answer is looked at as it goes by, so that nothing of it need be kept. */
export class ResponsePlan {
  /** Made when the first answer is looked at: most routes never show one. */
  private forms: readonly FormPlan[] | undefined;

  private constructor(
    private readonly links: readonly Link[],
    private readonly ruleSet: RuleSet,
  ) {}

  /**
   * @param rules of all phases
   * @returns undefined where a rule wants the whole of the body, or its length: then it is kept
   */
  static of(rules: readonly Rule[], ruleSet: RuleSet): ResponsePlan | undefined {
    if (rules.some(asksForMore)) return undefined;
    return new ResponsePlan(rules.flatMap(linksOf).filter(looksAtBody), ruleSet);
  }

  begin(): ResponseScan {
    this.forms ??= [...groupedBy(this.links, (link) => this.ruleSet.nodeOf(link)).values()].map((links) =>
      formOf(links, this.ruleSet),
    );
    return new ResponseScan(this.forms, this.ruleSet);
  }
}

function formOf(links: readonly Link[], ruleSet: RuleSet): FormPlan {
  const forms = known.get(ruleSet) ?? new Map<string, FormPlan>();
  known.set(ruleSet, forms);
  const key = links.map(({ number }) => number).join();
  const byPattern = groupedBy(links, ({ operator }) => operator!.pattern!);
  const form = forms.get(key) ?? {
    transformations: links[0]!.transformations,
    links: [...byPattern.values()],
    scanner: compileScanner([...byPattern.keys()]),
  };
  forms.set(key, form);
  return form;
}

function groupedBy<Key, Item>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

/** Whether a rule reads of the body what is not known before its end, otherwise than by looking for something in it. */
function asksForMore(rule: Rule): boolean {
  if (ofBody.some((variable) => mentions(rule, variable))) return true;
  const readers = linksOf(rule).filter(({ targets }) => targets.some(({ variable }) => isOfBody(variable)));
  return readers.some((link) => rule.phase !== 4 || !isDecidedInPassing(link, rule));
}

/** Whether a macro in one of its texts stands for a variable. */
function mentions(rule: Rule, variable: number): boolean {
  const texts = linksOf(rule).flatMap(({ operatorText, message, logData, assignments }) => [
    operatorText,
    message,
    logData,
    ...assignments.flatMap(({ name, value }) => [name, value]),
  ]);
  const standsFor = (text: Macro | undefined): boolean =>
    !!text?.parts.some((part) => typeof part !== 'string' && variableNumber(part.variable) === variable);
  return [...texts, ...rule.tags].some(standsFor);
}

/** Variables that say something of the body, but for what a model says in it, which is read apart. */
const ofBody: readonly number[] = [...variables.keys()].filter(
  (variable) => variables[variable]!.lifetime === 'response-body' && variable !== LLM_COMPLETION,
);

function isOfBody(variable: number): boolean {
  return ofBody.includes(variable);
}

/** Whether a rule looks at what a model says in an answer: then the body is kept, and read as a whole when all of it is there. */
export function asksForCompletion(rule: Rule): boolean {
  const looksAtIt = ({ targets }: Link): boolean => targets.some(({ variable }) => variable === LLM_COMPLETION);
  return linksOf(rule).some(looksAtIt) || mentions(rule, LLM_COMPLETION);
}

function looksAtBody({ targets }: Link): boolean {
  return targets.some(({ variable }) => variable === RESPONSE_BODY);
}

function isDecidedInPassing(link: Link, rule: Rule): boolean {
  const pattern = link.operator?.pattern;
  return (
    pattern !== undefined &&
    isDecidedAlong(pattern) &&
    !link.multiMatch &&
    link.targets.every(({ variable, counted }) => !isOfBody(variable) || (variable === RESPONSE_BODY && !counted)) &&
    link.transformations.every((transformation) => bytewise.includes(transformation)) &&
    (!link.negated || onlyPassesOver(rule))
  );
}

/** Whether all that a rule does is to pass over others: for as long as nothing is found in a body, nothing would be in those. */
function onlyPassesOver({ head, logs, disruption }: Rule): boolean {
  return (
    !head.next &&
    !logs &&
    disruption === 'pass' &&
    head.assignments.length === 0 &&
    head.effects.every(({ skip, skipAfter }) => skip !== undefined || skipAfter !== undefined)
  );
}

/** What was found in one body so far. */
export class ResponseScan {
  private readonly forms: readonly FormScan[];
  /** By number of the link: the text around the place where its pattern was found. */
  private readonly texts = new Map<number, Bytes>();
  private readonly found = new Set<Link>();

  constructor(
    forms: readonly FormPlan[],
    private readonly ruleSet: RuleSet,
  ) {
    this.forms = forms.map((form) => new FormScan(form));
  }

  /**
   * Looks at the next bytes; to be run to its end before more.
   * @returns whether something was found that was not found before
   */
  *write(chunk: Bytes): Generator<void, boolean, void> {
    const before = this.found.size;
    for (let at = 0; at < chunk.length; at += PIECE) {
      for (const form of this.forms) yield* form.read(chunk.slice(at, at + PIECE), this.note);
      yield;
    }
    return this.found.size > before;
  }

  /** The body is at its end. */
  *end(): Generator<void, void, void> {
    for (const form of this.forms) yield* form.end(this.note);
  }

  /** Adds the patterns that were found, by their bits in the rule set. */
  addTo(found: BitSet): void {
    for (const link of this.found) {
      const bit = this.ruleSet.bitOf(link);
      if (bit !== undefined) setBit(found, bit);
    }
  }

  /** @returns what stands around the place where the pattern of a link was found, in the form it looks at; undefined: it was not */
  textOf({ number }: Link): Bytes | undefined {
    return this.texts.get(number);
  }

  private readonly note = (links: readonly Link[], text: Bytes): void => {
    for (const link of links) {
      this.found.add(link);
      this.texts.set(link.number, text);
    }
  };
}

type Note = (links: readonly Link[], text: Bytes) => void;

/** How far one form of the body was looked at. */
class FormScan {
  private readonly scanner: Scanner;
  private before: Bytes = '';

  constructor(private readonly plan: FormPlan) {
    this.scanner = plan.scanner();
  }

  *read(piece: Bytes, note: Note): Generator<void, void, void> {
    let form = piece;
    for (const transformation of this.plan.transformations) form = transformation.apply(form);
    this.tell(yield* this.scanner.writing(form), form, note);
    this.before = form.length < PIECE ? (this.before + form).slice(-PIECE) : form;
  }

  *end(note: Note): Generator<void, void, void> {
    this.tell(yield* this.scanner.ending(), '', note);
  }

  private tell(patterns: readonly number[], form: Bytes, note: Note): void {
    for (const pattern of patterns) note(this.plan.links[pattern]!, this.before + form);
  }
}

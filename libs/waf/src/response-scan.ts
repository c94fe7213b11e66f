import { setBit, type BitSet } from './bit-set';
import type { Bytes } from './bytes';
import type { RuleSet } from './compiled-rules';
import { linksOf } from './fold';
import type { Captures, Pattern } from './regex/pattern';
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
/** What they make of a byte depends on that byte alone, so that a text may be handed to them in pieces. */
const bytewise: readonly Transformation[] = [lowercase, uppercase, removeNulls, replaceNulls, removeWhitespace];
/**
 * Bytes that are looked at between two places at which others may have their turn. What a rule sees of the body where its
 * pattern was found is the piece that completed it and the one before: for its text, and for its groups.
 */
const PIECE = 4096;

/** One form of the body, and what is looked for in it. */
interface FormPlan {
  /** In the trie of the rule set. */
  readonly node: number;
  readonly transformations: readonly Transformation[];
  /** By number of the pattern in the scanner. */
  readonly bits: readonly number[];
  readonly scanner: () => Scanner;
}

/** By rule set and bits: programs that look for the same share an automaton, and what it has learnt. */
const scanners = new WeakMap<RuleSet, Map<string, () => Scanner>>();

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
    const links = rules.flatMap(linksOf).filter(looksAtBody);
    if (!links.every((link) => isFoundAlong(link, ruleSet))) return undefined;
    return new ResponsePlan(links, ruleSet);
  }

  begin(): ResponseScan {
    const nodes = new Set(this.links.map((link) => this.ruleSet.nodeOf(link)));
    this.forms ??= [...nodes].map((node) => formOf(node, this.links, this.ruleSet));
    return new ResponseScan(this.forms);
  }
}

function formOf(node: number, links: readonly Link[], ruleSet: RuleSet): FormPlan {
  const own = links.filter((link) => ruleSet.nodeOf(link) === node);
  const patterns = new Map<number, Pattern>(own.map((link) => [ruleSet.bitOf(link)!, link.operator!.pattern!]));
  return {
    node,
    transformations: own[0]!.transformations,
    bits: [...patterns.keys()],
    scanner: scannerOf(patterns, ruleSet),
  };
}

function scannerOf(patterns: ReadonlyMap<number, Pattern>, ruleSet: RuleSet): () => Scanner {
  const known = scanners.get(ruleSet) ?? new Map<string, () => Scanner>();
  scanners.set(ruleSet, known);
  const key = [...patterns.keys()].join();
  const scanner = known.get(key) ?? compileScanner([...patterns.values()]);
  known.set(key, scanner);
  return scanner;
}

function looksAtBody({ targets }: Link): boolean {
  return targets.some(({ variable }) => variable === RESPONSE_BODY);
}

/** Whether a rule reads of the body what is not known before its end, otherwise than by looking for something in it. */
function asksForMore(rule: Rule): boolean {
  const texts = linksOf(rule).flatMap(({ operatorText, message, logData, assignments }) => [
    operatorText,
    message,
    logData,
    ...assignments.flatMap(({ name, value }) => [name, value]),
  ]);
  return (
    [...texts, ...rule.tags].some(mentionsBody) ||
    linksOf(rule).some(({ targets }) =>
      targets.some(({ variable, counted }) => isOfBody(variable) && (counted || variable !== RESPONSE_BODY)),
    ) ||
    (rule.phase !== 4 && linksOf(rule).some(looksAtBody))
  );
}

function mentionsBody(text: Macro | undefined): boolean {
  return !!text?.parts.some((part) => typeof part !== 'string' && isOfBody(variableNumber(part.variable)));
}

function isOfBody(variable: number | undefined): boolean {
  return variable !== undefined && variables[variable]!.lifetime === 'response-body';
}

function isFoundAlong(link: Link, ruleSet: RuleSet): boolean {
  return (
    ruleSet.bitOf(link) !== undefined &&
    !link.multiMatch &&
    link.transformations.every((transformation) => bytewise.includes(transformation)) &&
    isDecidedAlong(link.operator!.pattern!)
  );
}

/** What was found in one body, asked as a scan of a value is. */
export class ResponseScan {
  private readonly forms: readonly FormScan[];
  /** By node and bit: the text around the place. */
  private readonly found = new Map<string, Bytes>();
  private readonly bits = new Set<number>();

  constructor(forms: readonly FormPlan[]) {
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

  /** Adds the patterns that were found. */
  addTo(found: BitSet): void {
    for (const bit of this.bits) setBit(found, bit);
  }

  has(node: number, bit: number): boolean {
    return this.found.has(keyOf(node, bit));
  }

  /** @returns the text around the place where a pattern was found */
  form(node: number, bit: number): Bytes {
    return this.found.get(keyOf(node, bit))!;
  }

  groups(node: number, bit: number, find: (form: Bytes) => Captures | undefined): Captures | undefined {
    return find(this.form(node, bit));
  }

  private readonly note: Note = (node, bit, text) => {
    this.bits.add(bit);
    this.found.set(keyOf(node, bit), text);
  };
}

type Note = (node: number, bit: number, text: Bytes) => void;

function keyOf(node: number, bit: number): string {
  return `${node} ${bit}`;
}

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
    for (const pattern of patterns) note(this.plan.node, this.plan.bits[pattern]!, this.before + form);
  }
}

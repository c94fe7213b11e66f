import { emptyDraft, type ActionContext, type ActionDraft } from './actions/draft';
import { actionNamed, refusalOf } from './actions/registry';
import type { Bytes } from './bytes';
import { OperatorError, type Operator } from './operators/operator';
import { operatorNamed } from './operators/registry';
import { selects, type Disruption, type Link, type Phase, type Rule, type Target, type TargetFilter } from './rule-set';
import { RuleSet } from './compiled-rules';
import { parseMacro, type Macro } from './seclang/macro';
import { SyntaxProblem } from './seclang/parser';
import { readScript } from './seclang/read-script';
import { RuleError, type Place, type RuleSource } from './seclang/rule-source';
import type { Amendment, DefaultActions, Script, ScriptItem } from './seclang/script';
import type { ActionText, OperatorText, RuleText, TargetText } from './seclang/syntax';
import { filterOf, targetOf } from './targets';
import { isUnfilled } from './variables/signals';
import { variableNumber, variables } from './variables/registry';

export interface CompileOptions {
  /**
   * Whether `^` and `$` also hold at the lines of a value. True by default, as in libmodsecurity; false is how ModSecurity 2
   * reads rules.
   */
  readonly multiline?: boolean;
}

/**
 * Compiles rules into a set that can be run. Takes up to seconds of processor time: never do it on the request path.
 * @throws RuleError at the first thing that is wrong; there is no half of a rule set
 */
export function compileRuleSet(source: RuleSource, options: CompileOptions = {}): RuleSet {
  const compiling = compilingRuleSet(source, options);
  for (;;) {
    const step = compiling.next();
    if (step.done) return step.value;
  }
}

/** As `compileRuleSet`, with a pause after every rule, so that a thread which serves requests can compile beside them. */
export function* compilingRuleSet(source: RuleSource, options: CompileOptions = {}): Generator<void, RuleSet, void> {
  const script = readScript(source);
  yield;
  const resolver = new Resolver(script, source, options.multiline ?? true);
  const { rules, markers } = yield* resolver.resolve();
  return new RuleSet(rules, markers, script.settings, [...script.warnings, ...resolver.warnings]);
}

/** Macros may name variables as they are, and collections whose members have no fixed name. */
function isVariable(name: string): boolean {
  return name === 'XML' || variableNumber(name) !== undefined;
}

function macroOf(text: Bytes): Macro {
  return parseMacro(text, isVariable);
}

class Resolver implements ActionContext {
  readonly warnings: string[] = [];
  private readonly places = new Map<number, Place>();
  private readonly notices = new Set<string>();
  private links = 0;

  constructor(
    private readonly script: Script,
    private readonly source: RuleSource,
    private readonly multiline: boolean,
  ) {}

  /** Markers are told by the number of the rule that follows them. */
  *resolve(): Generator<void, { rules: Rule[]; markers: Map<Bytes, number[]> }, void> {
    const rules: Rule[] = [];
    const markers = new Map<Bytes, number[]>();
    for (const item of this.script.items) {
      if (item.kind === 'marker') {
        markers.set(item.label, [...(markers.get(item.label) ?? []), rules.length]);
      } else {
        const rule = this.rule(item, rules.length);
        if (rule) rules.push(rule);
        yield;
      }
    }
    return { rules, markers };
  }

  macro = macroOf;

  filter(text: Bytes): TargetFilter {
    return filterOf(text, this.multiline);
  }

  /** @returns undefined for a rule that an amendment takes away. */
  private rule({ rule: text, defaults }: ScriptItem & { kind: 'rule' }, number: number): Rule | undefined {
    return this.at(text.place, text.directive, () => {
      const known = this.identity(text);
      this.claim(known.id, text);
      const amendments = this.script.amendments.filter(({ selector }) => selects(selector, known));
      if (amendments.some(({ change }) => change === 'remove')) return undefined;
      const draft = this.actions([...text.actions, ...amendedActions(amendments)]);
      const phase = phaseOf(draft, text);
      const standard = this.defaultsFor(phase, defaults);
      const head = this.link(text, draft, standard, amendedTargets(amendments));
      refuseTooEarly(head, phase);
      return {
        number,
        id: draft.id ?? 0,
        phase,
        head,
        tags: draft.tags,
        tagTexts: draft.tagTexts,
        messageText: draft.messageText,
        version: draft.version,
        paranoia: paranoiaOf(draft.tagTexts),
        disruption: disruptionOf(draft, standard),
        status: draft.status ?? standard.status,
        logs: draft.logs ?? standard.logs ?? true,
      };
    });
  }

  /** What amendments select a rule by; read before everything else, since it may be amended away. */
  private identity(text: RuleText): Pick<Rule, 'id' | 'tagTexts' | 'messageText'> {
    const named = text.actions.filter(({ name }) => name === 'id' || name === 'tag' || name === 'msg');
    const { id = 0, tagTexts, messageText } = this.actions(named);
    return { id, tagTexts, messageText };
  }

  private claim(id: number, { place, directive }: RuleText): void {
    if (id === 0) return;
    const other = this.places.get(id);
    if (other) {
      throw new RuleError(place, directive, `the id ${id} is already that of the rule at ${other.file}:${other.line}`);
    }
    this.places.set(id, place);
  }

  private defaultsFor(phase: Phase, defaults: readonly DefaultActions[]): ActionDraft {
    const read = defaults.map(({ directive, actions }) =>
      this.at(directive.place, directive.name, () => this.actions(actions)),
    );
    return read.findLast((draft) => (draft.phase ?? 2) === phase) ?? emptyDraft();
  }

  private actions(texts: readonly ActionText[]): ActionDraft {
    const draft = emptyDraft();
    for (const { name, value } of texts) {
      const kind = actionNamed(name);
      if (kind) kind.read(draft, value, this);
      else throw new SyntaxProblem(unknownAction(name));
    }
    return draft;
  }

  private link(text: RuleText, draft: ActionDraft, standard: ActionDraft, amended: readonly TargetText[]): Link {
    const targets = [...text.targets, ...amended];
    const resolved = (excluded: boolean) =>
      targets.filter((target) => target.excluded === excluded).map((target) => this.target(target, text));
    const { next } = text;
    return {
      number: this.links++,
      place: text.place,
      targets: resolved(false),
      filters: resolved(true),
      transformations: draft.clearsTransformations
        ? draft.transformations
        : [...standard.transformations, ...draft.transformations],
      operator: text.operator && this.operator(text.operator, text),
      operatorName: text.operator?.name.toLowerCase() ?? '',
      operatorText: macroOf(text.operator?.argument ?? ''),
      negated: text.operator?.negated ?? false,
      capture: draft.capture || standard.capture,
      multiMatch: draft.multiMatch || standard.multiMatch,
      assignments: [...standard.assignments, ...draft.assignments],
      effects: draft.effects,
      message: draft.message,
      logData: draft.logData,
      severity: draft.severity,
      next: next && this.at(next.place, next.directive, () => this.chained(next, standard)),
    };
  }

  private chained(text: RuleText, standard: ActionDraft): Link {
    const draft = this.actions(text.actions);
    if (draft.disruption !== undefined && draft.disruption !== 'pass') {
      throw new SyntaxProblem(`only the first rule of a chain may say ${draft.disruption}`);
    }
    if (draft.id !== undefined) throw new SyntaxProblem('only the first rule of a chain may have an id');
    return this.link(text, draft, { ...standard, assignments: [] }, []);
  }

  private operator({ name, argument }: OperatorText, { place }: RuleText): Operator {
    const operator = this.compileOperator(name, argument, place);
    if (operator.notice !== undefined) this.warn(operator.notice, place);
    return operator;
  }

  private target(text: TargetText, { place }: RuleText): Target {
    const target = targetOf(text, this.multiline);
    const { name } = variables[target.variable]!;
    if (isUnfilled(name)) this.warn(`nothing fills ${name} yet: rules that look at it find nothing`, place);
    return target;
  }

  /** Says something once of a rule set, with the first place. */
  private warn(notice: string, { file, line }: Place): void {
    if (this.notices.has(notice)) return;
    this.notices.add(notice);
    this.warnings.push(`${file}:${line}: ${notice}`);
  }

  private compileOperator(name: string, text: Bytes, place: Place): Operator {
    const kind = operatorNamed(name);
    if (!kind) throw new SyntaxProblem(`there is no operator @${name}`);
    const readFile = (file: string): Bytes => {
      const found = this.source.read(file, place.file);
      if (found === undefined) throw new SyntaxProblem(`there is no file ${file} beside the rules`);
      return found;
    };
    return kind.compile({ text, macros: macroOf(text), multiline: this.multiline, readFile });
  }

  private at<Result>(place: Place, directive: string, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof SyntaxProblem || error instanceof OperatorError) {
        throw new RuleError(place, directive, error.message);
      }
      throw error;
    }
  }
}

function unknownAction(name: string): string {
  const reason = refusalOf(name);
  return reason ? `the action ${name} is refused: ${reason}` : `there is no action ${name}`;
}

function phaseOf(draft: ActionDraft, { directive }: RuleText): Phase {
  // Phase 2 is the default of ModSecurity for a rule that names none.
  const phase = draft.phase ?? 2;
  if (draft.id === undefined) throw new SyntaxProblem(`a ${directive} needs an id`);
  return phase as Phase;
}

/** @throws SyntaxProblem where a rule looks for what cannot be there yet, and would never match. */
function refuseTooEarly(head: Link, phase: Phase): void {
  for (let link: Link | undefined = head; link; link = link.next) {
    if (phase < 4 && link.targets.some(({ variable }) => variables[variable]!.name === 'LLM_COMPLETION'))
      throw new SyntaxProblem('LLM_COMPLETION is what a model answers, which is there in phases 4 and 5');
  }
}

function amendedActions(amendments: readonly Amendment[]): ActionText[] {
  return amendments.flatMap((amendment) => (amendment.change === 'actions' ? amendment.actions : []));
}

function amendedTargets(amendments: readonly Amendment[]): TargetText[] {
  return amendments.flatMap((amendment) => (amendment.change === 'targets' ? amendment.targets : []));
}

/** `block` means what SecDefaultAction says, which says pass unless told otherwise. */
function disruptionOf(draft: ActionDraft, standard: ActionDraft): Disruption {
  const own = draft.disruption ?? standard.disruption ?? 'pass';
  return own === 'block' ? (standard.disruption ?? 'pass') : own;
}

const PARANOIA_TAG = /^paranoia-level\/([1-4])$/;

function paranoiaOf(tags: readonly Bytes[]): number {
  const level = tags.map((tag) => PARANOIA_TAG.exec(tag)?.[1]).find((found) => found !== undefined);
  return level === undefined ? 1 : Number(level);
}

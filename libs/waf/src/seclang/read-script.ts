import type { Bytes } from '../bytes';
import { directiveNamed } from './directives/registry';
import { directivesOf, type DirectiveText } from './lexer';
import { SyntaxProblem } from './parser';
import { RuleError, type RuleFile, type RuleSource } from './rule-source';
import type { Amendment, DefaultActions, Script, ScriptDraft, ScriptItem, SingleRule } from './script';
import { defaultSettings } from './settings';
import type { RuleText } from './syntax';

/**
 * Reads rule files into what their directives add up to. Nothing is resolved yet.
 * @throws RuleError at the first directive that is unknown or broken
 */
export function readScript(source: RuleSource): Script {
  const reader = new ScriptReader(source);
  reader.read(source.files);
  return reader.finished();
}

/** Of files that include files. */
const MAX_DEPTH = 16;

class ScriptReader implements ScriptDraft {
  readonly settings = defaultSettings();
  private readonly items: ScriptItem[] = [];
  private readonly amendments: Amendment[] = [];
  private readonly warnings: string[] = [];
  private defaults: readonly DefaultActions[] = [];
  private directive: DirectiveText | undefined;
  private depth = 0;
  /** Links of the chain that is being read. */
  private chain: SingleRule[] = [];

  constructor(private readonly source: RuleSource) {}

  read(files: readonly RuleFile[]): void {
    this.depth++;
    if (this.depth > MAX_DEPTH) throw new SyntaxProblem('files include one another too deeply');
    for (const file of files) for (const directive of directivesOf(file)) this.take(directive);
    this.depth--;
  }

  finished(): Script {
    const [head] = this.chain;
    if (head) throw new RuleError(head.place, head.directive, 'the next link of its chain is missing');
    const { items, amendments, settings, warnings } = this;
    return { items, amendments, settings, warnings };
  }

  addRule(rule: SingleRule): void {
    this.chain.push(rule);
    if (rule.actions.some(({ name }) => name === 'chain')) return;
    const joined = this.chain.reduceRight<RuleText | undefined>((next, link) => ({ ...link, next }), undefined)!;
    this.chain = [];
    this.items.push({ kind: 'rule', rule: joined, defaults: this.defaults });
  }

  addMarker(label: Bytes): void {
    this.items.push({ kind: 'marker', label });
  }

  setDefaults(defaults: DefaultActions): void {
    this.defaults = [...this.defaults, defaults];
  }

  amend(amendment: Amendment): void {
    this.amendments.push(amendment);
  }

  warn(text: string): void {
    this.warnings.push(text);
  }

  include(pattern: string): number {
    const files = this.source.include?.(pattern, this.directive!.place.file) ?? [];
    this.read(files);
    return files.length;
  }

  private take(directive: DirectiveText): void {
    const { place, name } = directive;
    const reader = directiveNamed(name);
    if (!reader) throw new RuleError(place, name, 'there is no such directive');
    const [head] = this.chain;
    if (head && !/^SecRule$|^SecAction$/i.test(name)) {
      throw new RuleError(head.place, head.directive, 'the next link of its chain is missing');
    }
    this.directive = directive;
    try {
      reader(directive, this);
    } catch (error) {
      // A file that is included brings its own place.
      if (error instanceof SyntaxProblem) throw new RuleError(place, name, error.message);
      throw error;
    }
  }
}

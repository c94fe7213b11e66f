import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { bestFitAscii } from '../../../libs/waf/src/transformations/best-fit';
import type { RuleFile, RuleSource } from '../../../libs/waf/src/seclang/rule-source';
import { ruleFiles } from '../crs/rule-files';

/** A release of CRS, in files. */
export interface Release {
  readonly name: string;
  readonly rules: string;
  readonly setup: string;
}

const shared = sharedData('crs', '4.28.0') ?? 'the folder crs/4.28.0 of the shared data';

export const testFolder = join(shared, 'tests');

export const releases: readonly Release[] = [
  { name: '4.28.0', rules: join(shared, 'rules'), setup: join(shared, 'crs-setup.conf.example') },
  { name: '3.3.4', rules: '/usr/share/modsecurity-crs/rules', setup: '/etc/modsecurity/crs/crs-setup.conf' },
];

/** Scores and the like that verdicts are compared by; those that a release has not are set in neither engine. */
export const comparedVariables: readonly string[] = [
  ...['blocking_inbound_anomaly_score', 'detection_inbound_anomaly_score', 'blocking_outbound_anomaly_score'],
  ...[
    'detection_outbound_anomaly_score',
    'anomaly_score',
    'sql_injection_score',
    'xss_score',
    'rfi_score',
    'lfi_score',
  ],
  ...[
    'rce_score',
    'php_injection_score',
    'http_violation_score',
    'session_fixation_score',
    'outbound_anomaly_score_pl1',
  ],
  ...[1, 2, 3, 4].flatMap((level) => [`inbound_anomaly_score_pl${level}`, `anomaly_score_pl${level}`]),
];

/** The body is read by its media type, within limits no exchange here comes near. */
const engineDefaults = `
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecRequestBodyJsonDepthLimit 64
SecArgumentsLimit 1000
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecResponseBodyLimit 1048576
`;

const processors = `
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application|text)/(?:[a-z0-9.-]+\\+)?xml" "id:190010,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z0-9.-]+\\+)?json" "id:190011,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:190012,phase:2,t:none,pass,nolog,setvar:tx.oracle_body_error=1"
`;

function settingsOf(paranoia: number): string {
  const levels = ['blocking_paranoia_level', 'detection_paranoia_level', 'paranoia_level', 'executing_paranoia_level'];
  const variables = [
    ...levels.map((name) => `${name}=${paranoia}`),
    ...['crs_validate_utf8_encoding=1', 'arg_name_length=100', 'arg_length=400', 'total_arg_length=64000'],
    ...['max_num_args=255', 'max_file_size=64100', 'combined_file_sizes=65535'],
  ];
  return `\nSecAction "id:190001,phase:1,pass,nolog,t:none,${variables.map((text) => `setvar:tx.${text}`).join(',')}"\n`;
}

export function isPresent({ rules, setup }: Release): boolean {
  return existsSync(rules) && existsSync(setup) && existsSync(testFolder);
}

/** The release for our engine. @param paranoia 1 to 4 */
export function sourceOf({ rules, setup }: Release, paranoia: number): RuleSource {
  const source = ruleFiles(rules, undefined);
  const files: RuleFile[] = [
    { name: 'defaults', text: engineDefaults },
    { name: setup, text: readFileSync(setup, 'latin1') },
    { name: 'settings', text: settingsOf(paranoia) },
    ...source.files,
  ];
  return { ...source, files };
}

/**
 * The release for the oracle, in the order it loads it, with rules for what our engine does without.
 * @param paranoia 1 to 4
 * @param unicodeMap path of a file with `unicodeMapText()`
 */
export function filesForOracle({ rules, setup }: Release, paranoia: number, unicodeMap: string): string[] {
  const names = readdirSync(rules).filter((name) => name.endsWith('.conf'));
  return [
    `${engineDefaults}SecUnicodeMapFile ${unicodeMap} 20127\n${processors}`,
    setup,
    settingsOf(paranoia),
    ...names.sort().map((name) => join(rules, name)),
  ];
}

/** What our engine reads `%uHHHH` as, in the form of ModSecurity's table. */
export function unicodeMapText(): string {
  const pairs: string[] = [];
  for (let code = 0x80; code <= 0xffff; code++) {
    const ascii = bestFitAscii(code);
    if (ascii !== undefined) pairs.push(`${code.toString(16).padStart(4, '0')}:${ascii.toString(16).padStart(2, '0')}`);
  }
  return `20127 (US-ASCII)\n${pairs.join(' ')}\n`;
}

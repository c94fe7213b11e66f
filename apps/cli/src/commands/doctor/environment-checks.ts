import { knownVariableNames, nearestName, variables } from '@sallyport/contracts';
import type { Access } from '../../admin-client';
import { attention, failed, ok, type Finding } from './finding';

/** Passwords that stand in examples, and are tried first by whoever tries. */
const wellKnown = /^(admin|password|passw0rd|postgres|root|secret|test|token|change-?me|default|sallyport|123456\d*)$/i;
const LEAST_NODE = [20, 19] as const;

/** @param version as `process.version` has it */
export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  if (enough) return ok('node', `Node ${version}`);
  return failed('node', `Node ${version} is too old`, `install Node ${LEAST_NODE.join('.')} or newer`);
}

/** No secret of the environment is one that everybody knows. Values are never shown. */
export function secrets(environment: NodeJS.ProcessEnv): Finding {
  const weak = variables
    .filter(({ secret }) => secret)
    .map(({ name }) => name)
    .filter((name) => wellKnown.test(passwordIn(environment[name] ?? '')));
  if (weak.length === 0) return ok('secrets', 'no default secrets in the environment');
  return failed('secrets', `${weak.join(', ')}: a secret that everybody knows`, 'draw one: openssl rand -base64 32');
}

/** Of a URL, its password. */
function passwordIn(value: string): string {
  return URL.canParse(value) ? new URL(value).password : value;
}

/** A misspelt variable stops every server from starting; here it is found before. */
export function environmentNames(environment: NodeJS.ProcessEnv): Finding {
  const id = 'environment';
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith('SALLYPORT_') && !knownVariableNames.has(name),
  );
  if (unknown.length === 0) return ok(id, 'every SALLYPORT_ variable is a known one');
  const [first = ''] = unknown;
  const nearest = nearestName(first, knownVariableNames);
  const fix = nearest === undefined ? 'unset it; docs/reference/variables.md lists them all' : `it may mean ${nearest}`;
  return failed(id, `unknown variable ${unknown.join(', ')}`, fix);
}

/** A token that crosses a network in clear is everybody's. */
export function plainText({ door, token }: Access): Finding[] {
  if (token === undefined || !('url' in door) || door.url.protocol === 'https:') return [];
  if (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(door.url.hostname)) return [];
  return [
    attention('transport', `the admin token goes to ${door.url.host} unencrypted`, 'put TLS before the admin door'),
  ];
}

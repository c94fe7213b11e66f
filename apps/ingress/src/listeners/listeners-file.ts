import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigError, describeAddress, type Address } from '@sallyport/platform';
import { AddressList, listenerLimits, type ListenerLimits } from '@sallyport/proxy';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';

const VARIABLE = 'SALLYPORT_INGRESS_LISTENERS_FILE';

const file = z.string().min(1).max(4096);
const host = z
  .string()
  .max(253)
  .regex(
    /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/,
    'write a host such as api.example.com or *.example.com in lower case',
  );

const block = z.string().refine(isBlock, 'write an address or a block such as 10.0.0.0/8');

const tls = z
  .strictObject({
    /** The first one also serves clients that name no host, or one that none is for. */
    certificates: z
      .array(z.strictObject({ hosts: z.array(host).max(100).default([]), certificate: file, key: file }))
      .min(1)
      .max(1_000),
    minVersion: z.enum(['1.2', '1.3'], 'write "1.2" or "1.3", in quotes').default('1.2'),
    /** Authorities whose client certificates are taken, PEM. */
    clientCa: file.optional(),
    clientCertificate: z.enum(['none', 'optional', 'required']).default('none'),
  })
  .refine(({ clientCa, clientCertificate }) => clientCertificate === 'none' || clientCa !== undefined, {
    error: 'is needed to judge client certificates',
    path: ['clientCa'],
  });

const listener = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name is 1–63 of a–z, 0–9 and -'),
    host: z.string().min(1).max(255).optional(),
    port: z.int().min(1).max(65_535).optional(),
    /** A unix socket in the place of host and port. */
    path: z.string().min(1).max(103).optional(),
    tls: tls.optional(),
    /** With TLS offered by ALPN; without it for clients that know beforehand (RFC 9113 §3.3). */
    http2: z.boolean().default(false),
    /** Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. */
    trustedProxies: z.array(block).max(256).default([]),
    /** Connections begin with the header of the PROXY protocol, which names the caller; from others they are closed. */
    proxyProtocol: z.boolean().default(false),
    limits: listenerLimits.prefault({}),
  })
  .refine((one) => (one.port === undefined) !== (one.path === undefined), {
    error: 'give either port or path',
    path: ['port'],
  })
  .refine((one) => one.path === undefined || one.host === undefined, {
    error: 'a unix socket has no host',
    path: ['host'],
  });

const listeners = z
  .array(listener, 'a file of listeners is a list')
  .min(1)
  .max(64)
  .superRefine((all, context) => {
    const seen = new Set<string>();
    all.forEach(({ name }, at) => {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [at, 'name'], message: `“${name}” stands here twice` });
      seen.add(name);
    });
  });

/** Files, absolute, and how they are used. */
export type TlsSettings = z.output<typeof tls>;

/** One door of the ingress. */
export interface ListenerSettings {
  readonly name: string;
  readonly address: Address;
  readonly tls: TlsSettings | undefined;
  readonly http2: boolean;
  readonly trustedProxies: AddressList | undefined;
  readonly proxyProtocol?: boolean;
  readonly limits: ListenerLimits;
}

/**
 * Reads a file of listeners. Paths in it are relative to its folder.
 * @param defaultHost for listeners that name none
 * @throws ConfigError naming the file and the member that is wrong.
 */
export function readListenersFile(path: string, defaultHost: string): readonly ListenerSettings[] {
  const result = listeners.safeParse(readYaml(path));
  if (!result.success) {
    const { path: place, message } = result.error.issues[0]!;
    throw new ConfigError(VARIABLE, `${JSON.stringify(path)}, ${pathText(place)}: ${message}`);
  }
  const folder = dirname(resolve(path));
  return result.data.map((one) => ({
    name: one.name,
    address:
      one.path === undefined ? { host: one.host ?? defaultHost, port: one.port! } : { path: resolve(folder, one.path) },
    tls: one.tls && absolute(one.tls, folder),
    http2: one.http2,
    trustedProxies: one.trustedProxies.length > 0 ? new AddressList(one.trustedProxies) : undefined,
    proxyProtocol: one.proxyProtocol,
    limits: one.limits,
  }));
}

/** @throws ConfigError: the files of a listener that cannot be used stop the start like any other setting. */
export function unusableFile(listener: string, error: Error): ConfigError {
  return new ConfigError(VARIABLE, `listener “${listener}”, tls.${error.message}`);
}

/** `https://host:port`, `http://host:port` or `unix:/path`. */
export function addressOf({ address, tls }: ListenerSettings): string {
  const described = describeAddress(address);
  return tls ? described.replace(/^http:/, 'https:') : described;
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'), { maxAliasCount: 0 });
  } catch (error) {
    const reason =
      error instanceof YAMLParseError
        ? `is not YAML: ${error.message.split('\n')[0]}`
        : `cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`;
    throw new ConfigError(VARIABLE, `names ${JSON.stringify(path)}, which ${reason}`);
  }
}

function absolute({ certificates, clientCa, ...rest }: TlsSettings, folder: string): TlsSettings {
  return {
    ...rest,
    certificates: certificates.map(({ hosts, certificate, key }) => ({
      hosts,
      certificate: resolve(folder, certificate),
      key: resolve(folder, key),
    })),
    ...(clientCa !== undefined && { clientCa: resolve(folder, clientCa) }),
  };
}

/** `[0].tls.certificates[0].key`, or `the file` for the whole. */
function pathText(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'the file';
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

function isBlock(text: string): boolean {
  try {
    return Boolean(new AddressList([text]));
  } catch {
    return false;
  }
}

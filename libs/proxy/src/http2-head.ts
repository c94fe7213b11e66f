/** The head of an HTTP/2 request in the terms of HTTP/1.1, which everything behind the listener reads. */
export interface Http2Head {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, without pseudo fields; the authority stands in `host`. */
  readonly rawHeaders: string[];
  /** Why the head is malformed, where it is. */
  readonly fault: string | undefined;
}

/** RFC 9113 §8.2.2: fields that speak of a connection, which have no place in HTTP/2. `te` has one in requests. */
export const ofTheConnection: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Reads the head of an HTTP/2 request (RFC 9113 §8.2 and §8.3). Reads nothing but its arguments.
 * @param raw names and values in turn, as decoded from HPACK: pseudo fields among them.
 * @param encrypted whether the connection is TLS
 */
export function readHttp2Head(raw: readonly string[], encrypted: boolean): Http2Head {
  const head = new HeadReader(encrypted);
  for (let at = 0; at + 1 < raw.length; at += 2) head.read(raw[at]!, raw[at + 1]!);
  return head.end();
}

class HeadReader {
  private readonly pseudo = new Map<string, string>();
  private readonly fields: string[] = [];
  private host: string | undefined;
  private cookie: string | undefined;
  private fault: string | undefined;

  constructor(private readonly encrypted: boolean) {}

  read(name: string, value: string): void {
    if (name.startsWith(':')) return this.readPseudo(name, value);
    if (name !== name.toLowerCase()) this.fault ??= 'a field name of HTTP/2 holds a capital letter';
    if (ofTheConnection.has(name)) this.fault ??= `the field ${name} does not exist in HTTP/2`;
    if (name === 'te' && value.toLowerCase() !== 'trailers') this.fault ??= 'te of HTTP/2 is nothing but trailers';
    // §8.2.3: cookies may be split for compression, and are one field to everybody else.
    if (name === 'cookie') this.cookie = this.cookie === undefined ? value : `${this.cookie}; ${value}`;
    else if (name === 'host' && this.host === undefined) this.host = value;
    else this.fields.push(name, value);
  }

  end(): Http2Head {
    const method = this.pseudo.get(':method') ?? '';
    const host = this.authority();
    const target = method === 'CONNECT' ? (host ?? '') : this.path();
    const rawHeaders = host === undefined ? this.fields : ['host', host, ...this.fields];
    if (this.cookie !== undefined) rawHeaders.push('cookie', this.cookie);
    return { method, target, rawHeaders, fault: this.fault };
  }

  private readPseudo(name: string, value: string): void {
    if (this.fields.length > 0 || this.host !== undefined || this.cookie !== undefined)
      this.fault ??= 'a pseudo field stands behind the others';
    if (!pseudoFields.has(name)) this.fault ??= 'a pseudo field is unknown';
    else if (this.pseudo.has(name)) this.fault ??= `the pseudo field ${name} was sent twice`;
    else this.pseudo.set(name, value);
  }

  /** Every method has one but CONNECT, whose target is the authority alone (§8.5). */
  private path(): string {
    const path = this.pseudo.get(':path') ?? '';
    const scheme = this.pseudo.get(':scheme');
    if (path === '') this.fault ??= 'the pseudo field :path is missing';
    // Whoever ends TLS in front of a plain listener may pass on the scheme its client used.
    if (scheme !== 'https' && (scheme !== 'http' || this.encrypted))
      this.fault ??= 'the pseudo field :scheme is not the one of this connection';
    return path;
  }

  /** §8.3.1: the two may only say the same. */
  private authority(): string | undefined {
    const authority = this.pseudo.get(':authority');
    if (authority === undefined) return this.host;
    if (this.host !== undefined && this.host.toLowerCase() !== authority.toLowerCase())
      this.fault ??= 'Host names another host than :authority does';
    return authority;
  }
}

const pseudoFields: ReadonlySet<string> = new Set([':authority', ':method', ':path', ':scheme']);

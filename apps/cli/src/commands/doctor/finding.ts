/** What one check found. */
export interface Finding {
  readonly id: string;
  /** `attention` does not fail the check-up: it works, and could be better. */
  readonly state: 'ok' | 'attention' | 'failed';
  readonly summary: string;
  /** What to do about it; null when nothing needs to be done. */
  readonly fix: string | null;
}

export function ok(id: string, summary: string): Finding {
  return { id, state: 'ok', summary, fix: null };
}

export function attention(id: string, summary: string, fix: string): Finding {
  return { id, state: 'attention', summary, fix };
}

export function failed(id: string, summary: string, fix: string): Finding {
  return { id, state: 'failed', summary, fix };
}

/** Alarms, handed in so that a test can ring them. */
export interface Timers {
  /**
   * Rings once.
   * @param ms milliseconds from now
   * @returns takes the alarm back; harmless after it rang.
   */
  after(ms: number, ring: () => void): () => void;
}

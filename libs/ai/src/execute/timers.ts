/** Alarms, handed in so that waiting can be tested without waiting. */
export interface Timers {
  /**
   * Rings once.
   * @param ms milliseconds from now
   * @returns takes the alarm back; harmless after it rang.
   */
  after(ms: number, ring: () => void): () => void;
}

export const systemTimers: Timers = {
  after(ms, ring) {
    const timer = setTimeout(ring, ms);
    return () => clearTimeout(timer);
  },
};

/** Questions to another process or thread that are under way: each is answered once, or given up. */
export class Asking<Answer> {
  private readonly open = new Map<number, (answer: Answer | undefined) => void>();
  private last = 0;

  /**
   * @param ask sends the question with this number.
   * @param withinMs after which nobody waits any longer.
   * @returns undefined when no answer came.
   */
  put(ask: (number: number) => void, withinMs: number): Promise<Answer | undefined> {
    const number = ++this.last;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answer(number, undefined), withinMs);
      timer.unref();
      this.open.set(number, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      ask(number);
    });
  }

  answer(number: number, answer: Answer | undefined): void {
    const resolve = this.open.get(number);
    this.open.delete(number);
    resolve?.(answer);
  }
}

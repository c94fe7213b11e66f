/** What has been done so far, word after word on one line of the terminal, which ends before anything else is said. */
export class ProgressLine {
  private begun = false;

  add(done: string): void {
    this.begun = true;
    process.stderr.write(` ${done}`);
  }

  end(): void {
    if (this.begun) process.stderr.write('\n');
  }
}

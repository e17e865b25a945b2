/** What work of this process took, time and processor (all its threads), for each record. */
export class Cost {
  #ms = 0;
  #cpuMicros = 0;
  #records = 0;

  /** Does what is to be measured. */
  async of<T>(records: number, work: () => Promise<T> | T): Promise<T> {
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const result = await work();
    const { user, system } = process.cpuUsage(cpu);
    this.#ms += performance.now() - begun;
    this.#cpuMicros += user + system;
    this.#records += records;
    return result;
  }

  get figures() {
    return {
      perSecond: (1000 * this.#records) / this.#ms,
      cpuMicros: this.#cpuMicros / this.#records,
    };
  }
}

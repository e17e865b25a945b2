import { describeJournalContract } from '../contracts/journal.contract.ts';
import { aDirectory, open } from './harness.ts';

describeJournalContract('SQLite', async () => {
  const directory = aDirectory();
  let journal = await open(directory.state);
  return {
    journal,
    async reopen() {
      await journal.close();
      journal = await open(directory.state);
      return journal;
    },
    async end() {
      await journal.close();
      directory[Symbol.dispose]();
    },
  };
});

import { type PeerName, wayTo } from './missing.ts';
import type { ContainedProgram } from './peer-container.ts';
import { type Peer, PeerProcess, type Program } from './peer-process.ts';

/**
 * A real component by the way that it can be had here.
 *
 * @param inContainer what is different there
 */
export async function peerOf(
  name: PeerName,
  program: Program,
  inContainer: Pick<ContainedProgram, 'image' | 'folder'> & Partial<Program>,
): Promise<Peer> {
  if (wayTo(name) === 'process') return new PeerProcess(program);
  // Loaded only here: it takes a while.
  const { PeerContainer } = await import('./peer-container.ts');
  return new PeerContainer({ ...program, ...inContainer });
}

import { readFileSync, statfsSync } from 'node:fs';
import { JournalError } from '../core/errors.ts';

/** Where a directory lies, as the system tells it. */
export interface FileSystem {
  /** Of `statfs`: a number for each kind of file system. */
  readonly type: number;
  /** What the mount calls it, e.g. `ext4` or `fuse.sshfs`; needed only where one number stands for many. */
  readonly name?: string | undefined;
}

/** Several machines have it at a time, and locks and shared memory are not, or not always, common to them (K9). */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x564c, 'NCP'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0xaad7aaea, 'PanFS'],
  [0x20030528, 'OrangeFS'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x786f4256, 'a shared folder of VirtualBox'],
  [0xbacbacbc, 'a shared folder of VMware'],
]);

/** A program makes the file system: one that speaks to another machine, or one for local files. */
const FUSE = 0x65735546;
const NETWORK_FUSE =
  /^fuse\.(sshfs|s3fs|s3ql|goofys|gcsfuse|blobfuse2?|mount-s3|rclone|curlftpfs|davfs2?|glusterfs|ceph(-fuse)?|juicefs|seaweedfs|moosefs|mfs|lizardfs|nfs|smbnetfs|hdfs|alluxio[\w-]*|weed|jfs)$/i;

/**
 * Refuses a state directory on a network file system: two relays could have it at a time, and SQLite's log is shared
 * by memory that two machines do not have in common.
 *
 * @throws {JournalError} it lies there
 */
export function refuseNetwork(directory: string, { type, name }: FileSystem): void {
  // The number comes signed on some machines.
  const kind = NETWORK.get(type >>> 0) ?? networkFuse(type >>> 0, name);
  if (kind === undefined) return;
  throw new JournalError(
    `the state directory ${directory} is on a network file system (${kind}), where locks cannot be trusted and a ` +
      'journal is broken sooner or later. Set state.directory to a folder on a disk of this machine, or on a block ' +
      'volume; a journal that is there already can be moved: stop the relay, and copy the folder whole',
  );
}

function networkFuse(type: number, name = ''): string | undefined {
  return type === FUSE && NETWORK_FUSE.test(name) ? name.slice('fuse.'.length) : undefined;
}

export function fileSystemOf(directory: string): FileSystem {
  const { type } = statfsSync(directory);
  return type >>> 0 === FUSE ? { type, name: mountedAs(directory) } : { type };
}

/** What the innermost mount over a directory calls its file system. */
function mountedAs(directory: string): string | undefined {
  try {
    return mountName(readFileSync('/proc/self/mountinfo', 'utf8'), directory);
  } catch {
    // Not Linux, or hidden.
    return undefined;
  }
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html */
export function mountName(mountinfo: string, path: string): string | undefined {
  const over = mountinfo.split('\n').flatMap((line) => {
    const [mount = '', kind = ''] = line.split(' - ');
    const at = mount.split(' ')[4];
    if (at === undefined) return [];
    const point = at.replaceAll(/\\(\d{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    const within = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    return within ? [{ length: point.length, name: kind.split(' ')[0] }] : [];
  });
  // Of two at one place the later one hides the other.
  return over.toSorted((a, b) => a.length - b.length).at(-1)?.name;
}

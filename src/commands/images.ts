import { listImages } from '../blobstore/images.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { formatAge, formatBytes, shortDigest } from '../ui/format.ts';
import { splitName } from '../ui/image-name.ts';
import { formatTable } from '../ui/table.ts';

export default class Images extends OciCommand<typeof Images> {
  static override usage = 'images [FLAGS]';
  static override summary = 'List the images in the store';
  static override description =
    'SIZE is what the image’s blobs take in the store; UNIQUE the part no other image shares.';
  static override examples = ['<%= config.bin %> images', '<%= config.bin %> images --json'];

  protected async execute({ client, answer, width }: Session<typeof Images>): Promise<void> {
    const images = await listImages(await client.store());
    answer(
      images.map(({ name, descriptor, created, size, uniqueSize, platforms }) => ({
        name,
        digest: descriptor.digest,
        mediaType: descriptor.mediaType,
        created,
        size,
        uniqueSize,
        platforms,
      })),
      () =>
        formatTable(
          [
            { title: 'NAME', flexible: true },
            { title: 'TAG', flexible: true },
            { title: 'DIGEST' },
            { title: 'CREATED' },
            { title: 'SIZE', align: 'right' },
            { title: 'UNIQUE', align: 'right' },
          ],
          images.map(({ name, descriptor, created, size, uniqueSize }) => {
            const { repository, tag } = splitName(name);
            return [
              repository,
              tag,
              shortDigest(descriptor.digest),
              formatAge(created),
              formatBytes(size),
              formatBytes(uniqueSize),
            ];
          }),
          { width },
        ),
    );
  }
}

import { Args, Flags } from '@oclif/core';
import { annotationFlag, artifactJson, artifactTypeFlag, parseAnnotations } from '../cli/artifact-flags.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, networkFlags } from '../cli/flags.ts';
import { attach } from '../client/attach.ts';
import { OciError } from '../errors.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';

export default class Attach extends OciCommand<typeof Attach> {
  static override usage = 'attach IMAGE FILE[:MEDIATYPE]... --artifact-type TYPE [FLAGS]';
  static override summary = 'Attach files to an image: an SBOM, a report, a signature';
  static override description =
    'Makes an artifact that refers to the image, in the place where the image is: the store if it has it, else the registry (docker://NAME always means that), or a layout. With --platform it refers to the manifest of that platform. Files of any size are streamed. The same files attached again are the same artifact. Prints NAME@DIGEST of it.';
  static override examples = [
    '<%= config.bin %> attach docker://localhost:5000/app:1 sbom.json:application/spdx+json --artifact-type application/spdx+json',
    "<%= config.bin %> attach app:1 report.html --artifact-type application/vnd.example.scan --annotation 'scanner=trivy 0.60'",
  ];
  static override strict = false;
  static override args = {
    image: imageArg,
    file: Args.string({
      name: 'FILE',
      description: 'one or more files; the default type is application/octet-stream',
    }),
  };
  static override flags = {
    ...networkFlags,
    'artifact-type': Flags.string({ ...artifactTypeFlag, required: true }),
    annotation: annotationFlag,
  };

  protected async execute({ argv, flags, client, answer, note }: Session<typeof Attach>): Promise<void> {
    const [image = '', ...files] = argv;
    if (files.length === 0) {
      throw new OciError('USAGE', `${image}: attach what?`, {
        hint: 'write: ocitool attach IMAGE FILE... --artifact-type TYPE',
      });
    }
    const attached = await attach(client, image, files, {
      artifactType: flags['artifact-type'],
      annotations: parseAnnotations(flags.annotation ?? []),
    });
    const { name, from, reference, root, subject } = attached;
    if (from === 'store') note(`attached in the store; to send it: ocitool push --referrers ${name}`);
    const json = { name, subject: subject.digest, ...artifactJson(attached, flags['artifact-type']) };
    answer(json, () => [
      reference === undefined ? root.digest : familiarReference(withDigest(reference, root.digest)),
    ]);
  }
}

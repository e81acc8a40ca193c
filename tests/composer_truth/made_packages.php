<?php
/*
 * What Composer's repositories of type "package" and "artifact" load, for the test made_packages.
 *
 * Standard input: one JSON object a line: {"package": definitions} or {"artifacts": path of a directory}.
 * Standard output: one JSON object a line: {"versions": what ArrayDumper writes of each package} or {"error": text}.
 */

use Composer\IO\NullIO;
use Composer\Package\AliasPackage;
use Composer\Package\Dumper\ArrayDumper;
use Composer\Repository\ArtifactRepository;
use Composer\Repository\PackageRepository;
use Composer\Util\ErrorHandler;

require 'Composer/autoload.php';
setlocale(LC_ALL, 'C');
ErrorHandler::register();

while (false !== ($line = fgets(STDIN))) {
    $question = json_decode($line, true);
    try {
        $repository = isset($question['artifacts'])
            ? new ArtifactRepository(['url' => $question['artifacts']], new NullIO())
            : new PackageRepository(['package' => $question['package']]);
        $versions = [];
        foreach ($repository->getPackages() as $package) {
            if (!$package instanceof AliasPackage) {
                $versions[] = (new ArrayDumper())->dump($package);
            }
        }
        $answer = ['versions' => $versions];
    } catch (\Throwable $error) {
        $answer = ['error' => $error->getMessage()];
    }
    echo json_encode($answer, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION), "\n";
}

<?php
/*
 * Composer's own answer to "which files go into the archive", for the test archive_differential.
 *
 * Standard input: one JSON object a line: {"directory": a checked-out tree, "excludes": the patterns of archive.exclude}.
 * Standard output: one JSON array a line: the paths of the files that ArchivableFilesFinder finds, sorted by bytes.
 */

use Composer\Package\Archiver\ArchivableFilesFinder;

require 'Composer/autoload.php';
setlocale(LC_ALL, 'C');
// Patterns that PCRE does not compile have no effect in Composer's filters; PHP warns about them.
error_reporting(E_ALL & ~E_WARNING & ~E_DEPRECATED);

while (false !== ($line = fgets(STDIN))) {
    $question = json_decode($line, true);
    $paths = [];
    foreach (new ArchivableFilesFinder($question['directory'], $question['excludes']) as $file) {
        if ($file->isFile()) {
            $paths[] = substr($file->getPathname(), strlen($question['directory']) + 1);
        }
    }
    sort($paths, SORT_STRING);
    echo json_encode($paths, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), "\n";
}

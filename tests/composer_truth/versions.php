<?php

/**
 * Answers questions about versions with Composer's own classes: one JSON array on each line of standard input,
 * the operation first; for each, one JSON line: {"ok": result} or {"error": message}.
 */

declare(strict_types=1);

use Composer\Package\Loader\ArrayLoader;
use Composer\Package\Loader\ValidatingArrayLoader;
use Composer\Package\Version\VersionParser;
use Composer\Repository\PlatformRepository;
use Composer\Semver\Comparator;
use Composer\Semver\Constraint\Constraint;
use Composer\Semver\Semver;

if (@include 'Composer/autoload.php') {
    // Debian puts Composer's classes on PHP's include_path.
} else {
    fwrite(STDERR, "Composer's classes are not on PHP's include_path.\n");
    exit(3);
}

// As in Composer's own error handler, nothing passes silently.
set_error_handler(static function (int $level, string $message): bool {
    throw new ErrorException($message, 0, $level);
});

$parser = new VersionParser();
$loader = new ArrayLoader($parser);

$answer = static function (array $question) use ($parser, $loader) {
    $arguments = array_slice($question, 1);
    switch ($question[0]) {
        case 'normalize':
            return $parser->normalize($arguments[0]);
        case 'branch':
            return $parser->normalizeBranch($arguments[0]);
        case 'stability':
            return VersionParser::parseStability($arguments[0]);
        case 'prefix':
            $prefix = $parser->parseNumericAliasPrefix($arguments[0]);
            return $prefix === false ? null : $prefix;
        case 'compare':
            return (string) version_compare($arguments[0], $arguments[1]);
        case 'constraint':
            return (string) $parser->parseConstraints($arguments[0]);
        case 'matches':
            $constraint = $parser->parseConstraints($arguments[0]);
            return $constraint->matches(new Constraint('==', $arguments[1])) ? 'yes' : 'no';
        case 'satisfies':
            return Semver::satisfies($arguments[0], $arguments[1]) ? 'yes' : 'no';
        case 'order':
            foreach (['-1' => '<', '0' => '==', '1' => '>'] as $order => $operator) {
                if (Comparator::compare($arguments[0], $operator, $arguments[1])) {
                    return (string) $order;
                }
            }
            return 'none';
        case 'alias':
            return $loader->getBranchAlias([
                'version' => $arguments[0],
                'extra' => ['branch-alias' => [$arguments[1] => $arguments[2]]],
                'default-branch' => $arguments[3] === 'default',
            ]);
        case 'name':
            return ValidatingArrayLoader::hasPackageNamingError($arguments[0]) === null ? 'good' : 'bad';
        case 'platform':
            return PlatformRepository::isPlatformPackage($arguments[0]) ? 'yes' : 'no';
    }
    throw new LogicException('Unknown operation '.$question[0]);
};

while (($line = fgets(STDIN)) !== false) {
    $question = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    try {
        $reply = ['ok' => $answer($question)];
    } catch (LogicException $error) {
        throw $error;
    } catch (Throwable $error) {
        $reply = ['error' => $error->getMessage()];
    }
    echo json_encode($reply, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

-- What calls of the library's webhook would leave: every kind of answer, and topics of Amazon SNS in every state.
INSERT INTO delivery (org_id, hook_id, received_at, provider, event, size, guid, outcome, told)
    SELECT hook.org_id, hook.id, unixepoch() * 1000000 - said.ago * 1000000, said.provider, said.event, said.size, NULL, said.outcome, said.told
    FROM hook, (
        SELECT 1 AS ago, 'github' AS provider, 'push' AS event, 8210 AS size, 'queued' AS outcome,
            '{"repository":"acme/a-repository-with-quite-a-long-name-that-has-to-be-broken","changes":[{"name":"refs/heads/feature/a-branch-that-says-all-that-it-does-a-branch-that-says-all-that-it-does","fate":"moved"},{"name":"refs/tags/v1.0.0","fate":"made"},{"name":"refs/heads/x","fate":"removed"}],"more":27}' AS told
        UNION ALL SELECT 2, 'github', 'ping', 300, 'ping', NULL
        UNION ALL SELECT 3, 'gitlab', 'Note Hook', 4000, 'ignored', '{"repository":"acme/library"}'
        UNION ALL SELECT 4, 'azure', 'git.push', 433, 'queued', '{"repository":"Fabrikam","changes":[{"name":"refs/heads/master","fate":"moved"}],"is_test":true}'
        UNION ALL SELECT 5, 'azure', 'git.push', 433, 'known', NULL
        UNION ALL SELECT 6, 'codecommit', 'ReferenceChanges', 900, 'queued', '{"repository":"lib","note":"Its signature was not checked: sns.us-east-2.amazonaws.com could not be asked for its certificate: no address was found for the host sns.us-east-2.amazonaws.com."}'
        UNION ALL SELECT 7, 'sns', 'SubscriptionConfirmation', 1600, 'queued', NULL
        UNION ALL SELECT 8, 'sns', 'UnsubscribeConfirmation', 1600, 'unsubscribed', NULL
        UNION ALL SELECT 9, 'sns', NULL, 900, 'forged', '{"note":"Its signature is wrong."}'
        UNION ALL SELECT 10, 'sns', NULL, 900, 'replayed', '{"note":"It is older than an hour, or dated ahead: somebody may have sent it again."}'
        UNION ALL SELECT 11, 'gitea', 'push', 900, 'unsigned', NULL
        UNION ALL SELECT 12, 'generic', NULL, 7, 'queued', '{"note":"Its body could not be read, so that the whole repository was looked at."}'
    ) AS said;
INSERT INTO hook_topic (org_id, hook_id, arn, state, error, confirm_url, asked_at, changed_at)
    SELECT hook.org_id, hook.id, 'arn:aws:sns:us-east-2:111122223333:' || topic.name, topic.state, topic.error, topic.url, unixepoch() * 1000000, unixepoch() * 1000000
    FROM hook, (
        SELECT 'a-topic-with-a-name-that-somebody-thought-would-be-clear-to-everybody' AS name, 'pending' AS state,
            'SNS could not be asked to confirm the subscription: it answered with HTTP 502. It is tried again by itself.' AS error,
            'https://sns.us-east-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:us-east-2:111122223333:a-topic&Token=2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92' AS url
        UNION ALL SELECT 'pushes', 'confirmed', NULL, NULL
        UNION ALL SELECT 'ended', 'ended', NULL, NULL
        UNION ALL SELECT 'refused', 'refused', 'Its signature is wrong.', NULL
    ) AS topic;

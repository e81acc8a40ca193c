//! Webhooks that come from elsewhere than platforms with an API, and what anybody else sends to the address of a package:
//! Amazon SNS behind a proxy, by an authority that only this test trusts; every platform's pushes; floods.

#[path = "generic_hooks/amazon.rs"]
mod amazon;
#[path = "generic_hooks/certificate_trouble.rs"]
mod certificate_trouble;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "http_support/client.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod client;
#[path = "generic_hooks/flood.rs"]
mod flood;
#[path = "support/forward_proxy.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod forward_proxy;
#[path = "support/instance.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod instance;
#[path = "generic_hooks/platforms.rs"]
mod platforms;
#[path = "generic_hooks/sns.rs"]
mod sns;
#[path = "generic_hooks/world.rs"]
mod world;

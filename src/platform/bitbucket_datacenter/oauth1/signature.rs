//! What is signed, and how the signature travels.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::key::{ConsumerKey, SigningFailed};

/// What RFC 5849 section 3.6 encodes: all but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encoding by RFC 5849 section 3.6, stricter than that of forms.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// What one request is signed with, beside the key.
pub(in crate::platform) struct Signature {
    /// Who we are to the server.
    pub consumer: String,
    /// Seconds since 1970 by our clock; the server refuses what differs by more than some minutes.
    pub timestamp: i64,
    /// Never the same twice with one timestamp.
    pub nonce: String,
    /// The request token or access token, once there is one.
    pub token: Option<String>,
    /// Parameters of single steps: `oauth_callback`, `oauth_verifier`.
    pub step: Vec<(&'static str, String)>,
}

impl Signature {
    /// The value of the `Authorization` header (RFC 5849 section 3.5.1) for a request without a form.
    ///
    /// # Errors
    /// [`SigningFailed`], which only a broken machine brings about.
    pub fn header(&self, key: &ConsumerKey, method: &str, url: &Url) -> Result<String, SigningFailed> {
        let timestamp = self.timestamp.to_string();
        let mut parameters = vec![
            ("oauth_consumer_key", self.consumer.as_str()),
            ("oauth_nonce", &self.nonce),
            ("oauth_signature_method", "RSA-SHA1"),
            ("oauth_timestamp", &timestamp),
            ("oauth_version", "1.0"),
        ];
        parameters.extend(self.token.as_deref().map(|token| ("oauth_token", token)));
        parameters.extend(self.step.iter().map(|(name, value)| (*name, value.as_str())));
        let signature = STANDARD.encode(key.sign(base_string(method, url, &parameters).as_bytes())?);
        parameters.push(("oauth_signature", &signature));
        let written = parameters.into_iter().map(|(name, value)| format!("{}=\"{}\"", encoded(name), encoded(value)));
        Ok(format!("OAuth {}", written.collect::<Vec<_>>().join(", ")))
    }
}

/// The signature base string (RFC 5849 section 3.4.1): method, address and all parameters, those of the address's query
/// among them; `parameters` are those of the header and of a form.
fn base_string(method: &str, url: &Url, parameters: &[(&str, &str)]) -> String {
    let query: Vec<_> = url.query_pairs().collect();
    let query = query.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
    let mut pairs: Vec<_> =
        parameters.iter().copied().chain(query).map(|(name, value)| (encoded(name), encoded(value))).collect();
    // By name and then by value, both already encoded (section 3.4.1.3.2).
    pairs.sort();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` holds scheme and host in lower case and leaves the scheme's own port out, as section 3.4.1.2 wants.
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    // Credentials in an address are no part of what the server sees of it; neither call fails for http and https.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    format!("{}&{}&{}", method.to_ascii_uppercase(), encoded(address.as_str()), encoded(&pairs.join("&")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use url::Url;

    use super::{base_string, encoded};

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn encodes_all_but_the_unreserved_characters() {
        assert_eq!(encoded("abcXYZ012-._~"), "abcXYZ012-._~");
        assert_eq!(encoded("a b+c*d%e/ü\n"), "a%20b%2Bc%2Ad%25e%2F%C3%BC%0A");
    }

    /// RFC 5849 section 3.4.1.1, whose request carries parameters in query, header and form.
    #[test]
    fn builds_the_base_string_of_the_rfc() {
        let parameters = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ];
        let base =
            base_string("post", &url("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"), &parameters);
        assert_eq!(
            base,
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D\
             %26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1\
             %26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    /// The examples of RFC 5849 section 3.4.1.2.
    #[test]
    fn names_the_port_only_where_it_is_not_the_schemes_own() {
        let address = |text: &str| base_string("GET", &url(text), &[]);
        assert_eq!(
            address("http://EXAMPLE.COM:80/r%20v/X?id=123"),
            "GET&http%3A%2F%2Fexample.com%2Fr%2520v%2FX&id%3D123"
        );
        assert_eq!(address("https://www.example.net:8080/?q=1"), "GET&https%3A%2F%2Fwww.example.net%3A8080%2F&q%3D1");
        assert_eq!(address("https://user:word@example.net:443/a#b"), "GET&https%3A%2F%2Fexample.net%2Fa&");
    }
}

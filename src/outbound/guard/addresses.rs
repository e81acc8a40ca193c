//! Addresses that only this machine should reach, in all the clothes that they wear.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What kind of address that only this machine should reach, if any; an IPv4 address that travels in an IPv6 one counts
/// as itself.
pub(super) fn local_kind(address: IpAddr) -> Option<&'static str> {
    kind(address).or_else(|| kind(canonical(address)))
}

/// The IPv4 address that an IPv6 one leads to: mapped or compatible (RFC 4291), behind NAT64's prefixes (RFC 6052, RFC
/// 8215), or by 6to4 (RFC 3056). Every other address as it is.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// The metadata services' addresses are those of the public clouds.
fn kind(address: IpAddr) -> Option<&'static str> {
    const METADATA_V6: [Ipv6Addr; 2] =
        [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
    const METADATA_V4: [Ipv4Addr; 4] = [
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
        Ipv4Addr::new(168, 63, 129, 16),
    ];
    match address {
        IpAddr::V4(v4) if METADATA_V4.contains(&v4) => Some("a cloud's metadata service"),
        IpAddr::V6(v6) if METADATA_V6.contains(&v6) => Some("a cloud's metadata service"),
        _ if address.is_loopback() => Some("a loopback address"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("a link-local address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some("an unspecified address"),
        _ if address.is_unspecified() => Some("an unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("a broadcast address"),
        _ => None,
    }
}

/// Names that lead to such addresses wherever they are resolved, for the case that not we resolve them. A name without
/// a dot that ends in a number is an address to the system's resolver (inet_aton(3)).
pub(super) fn local_name(name: &str) -> Option<&'static str> {
    if ["metadata", "metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"].contains(&name) {
        return Some("a cloud's metadata service");
    }
    (name == "localhost" || name.ends_with(".localhost")).then_some("the machine itself")
}

/// The address that a host is in one of the forms that name resolution takes for one: `127.1`, `0x7f000001`.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return Some(address);
    }
    match url::Host::parse(bare.trim_end_matches('.')) {
        Ok(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        _ => None,
    }
}

/// Whether an address belongs to this machine: then, and only then, the system would also answer from it. Nothing is
/// sent.
pub(super) fn is_ours(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind(SocketAddr::new(any, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

//! How far inward an address leads: a server of the internet must not send a pull to this machine or its network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;

/// How far inward an address leads; a greater one is further in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The internet.
    Outside,
    /// A private network, or what is on the same link.
    Network,
    /// This machine.
    Machine,
}

impl Reach {
    /// Where an IP address leads, by the IANA registries of special-purpose addresses (RFC 6890) and those embedded in IPv6.
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => embedded(ip).map_or_else(|| of_v6(ip), of_v4),
        }
    }

    /// Where an address leads as far as it says so itself; `None` if only the name service knows.
    pub fn of_url(url: &Url) -> Option<Self> {
        match url.host()? {
            url::Host::Ipv4(ip) => Some(Self::of_ip(ip.into())),
            url::Host::Ipv6(ip) => Some(Self::of_ip(ip.into())),
            url::Host::Domain(name) => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                (name == "localhost" || name.ends_with(".localhost")).then_some(Self::Machine)
            }
        }
    }
}

/// Where an address leads, and what the name service says of its host; nothing where a proxy asks in our place.
pub(super) async fn look_up(url: &Url) -> (Reach, Vec<SocketAddr>) {
    if let Some(reach) = Reach::of_url(url) {
        return (reach, Vec::new());
    }
    let place = (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or_default());
    let found: Vec<SocketAddr> = tokio::net::lookup_host(place).await.map(Iterator::collect).unwrap_or_default();
    (found.iter().map(|address| Reach::of_ip(address.ip())).max().unwrap_or(Reach::Outside), found)
}

fn of_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    match (a, b) {
        (127 | 0, _) => Reach::Machine,
        (10, _) | (172, 16..=31) | (192, 168) | (169, 254) | (100, 64..=127) | (198, 18 | 19) | (224.., _) => Reach::Network,
        (192, 0) if c == 0 => Reach::Network,
        _ => Reach::Outside,
    }
}

fn of_v6(ip: Ipv6Addr) -> Reach {
    if ip.is_loopback() || ip.is_unspecified() {
        return Reach::Machine;
    }
    // Unique local fc00::/7, link local fe80::/10, the old site local fec0::/10, multicast ff00::/8, local NAT64 64:ff9b:1::/48.
    let [first, second, third, ..] = ip.segments();
    let is_inner =
        first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00 || (first, second, third) == (0x64, 0xff9b, 1);
    if is_inner { Reach::Network } else { Reach::Outside }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_inner_address_is_seen() {
        for (host, expected) in [
            ("localhost", Some(Reach::Machine)),
            ("LOCALHOST.", Some(Reach::Machine)),
            ("a.b.localhost", Some(Reach::Machine)),
            ("127.0.0.1", Some(Reach::Machine)),
            ("127.9.9.9", Some(Reach::Machine)),
            ("2130706433", Some(Reach::Machine)),
            ("0x7f.1", Some(Reach::Machine)),
            ("0177.0.0.1", Some(Reach::Machine)),
            ("0.0.0.0", Some(Reach::Machine)),
            ("[::1]", Some(Reach::Machine)),
            ("[::]", Some(Reach::Machine)),
            ("[::ffff:127.0.0.1]", Some(Reach::Machine)),
            ("[::127.0.0.1]", Some(Reach::Machine)),
            ("[64:ff9b::7f00:1]", Some(Reach::Machine)),
            ("[2002:7f00:1::]", Some(Reach::Machine)),
            ("10.1.2.3", Some(Reach::Network)),
            ("172.16.0.1", Some(Reach::Network)),
            ("172.31.255.255", Some(Reach::Network)),
            ("192.168.0.1", Some(Reach::Network)),
            ("169.254.169.254", Some(Reach::Network)),
            ("100.64.0.1", Some(Reach::Network)),
            ("192.0.0.8", Some(Reach::Network)),
            ("224.0.0.1", Some(Reach::Network)),
            ("255.255.255.255", Some(Reach::Network)),
            ("[fe80::1]", Some(Reach::Network)),
            ("[fd12:3456::1]", Some(Reach::Network)),
            ("[ff02::1]", Some(Reach::Network)),
            ("[::ffff:10.0.0.1]", Some(Reach::Network)),
            ("[64:ff9b:1::1]", Some(Reach::Network)),
            ("172.32.0.1", Some(Reach::Outside)),
            ("100.128.0.1", Some(Reach::Outside)),
            ("192.0.1.1", Some(Reach::Outside)),
            ("8.8.8.8", Some(Reach::Outside)),
            ("[2606:4700::1]", Some(Reach::Outside)),
            ("[2002:808:808::]", Some(Reach::Outside)),
            ("huggingface.co", None),
            ("localhost.example", None),
        ] {
            let url = Url::parse(&format!("https://{host}/x")).expect(host);
            assert_eq!(Reach::of_url(&url), expected, "{host}");
        }
        assert!(Reach::Machine > Reach::Network && Reach::Network > Reach::Outside);
    }

    #[tokio::test]
    async fn a_name_is_as_far_in_as_its_innermost_address() {
        let look_up = async |text: &str| look_up(&Url::parse(text).expect("an address")).await;
        assert_eq!(look_up("https://localhost:8443/x").await.0, Reach::Machine);
        let (reach, addresses) = look_up("https://no-such-host.invalid/x").await;
        assert_eq!((reach, addresses.len()), (Reach::Outside, 0), "what cannot be looked up is a proxy's to find");
    }
}

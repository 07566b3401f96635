//! URLs of databases and the address to listen on, as far as the configuration judges them, and how a URL may
//! be shown: never with its password.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What follows a source: decided by the scheme of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Postgres,
    Mongodb,
    Rabbitmq,
}

/// Whether a database URL is one, and of what product.
///
/// # Errors
/// A sentence that never contains the URL's password.
pub fn product(url: &str) -> Result<Product, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err("a URL is wanted, like \"postgres://user:password@host:5432/database\"".to_owned());
    };
    let product = match scheme {
        "postgres" | "postgresql" => Product::Postgres,
        "mongodb" | "mongodb+srv" => Product::Mongodb,
        "amqp" | "amqps" => Product::Rabbitmq,
        "mysql" | "mariadb" | "redis" | "kafka" | "nats" => {
            return Err(format!(
                "\"{scheme}\" is not followed by this version, which follows Postgres, MongoDB, RabbitMQ and the \
                 embedded store"
            ));
        }
        _ => {
            return Err(format!(
                "the scheme \"{scheme}\" is unknown, one of \"postgres\", \"mongodb\", \"amqp\" is wanted"
            ));
        }
    };
    let (authority, path) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if url.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err("the URL has a space in it; write it as %20".to_owned());
    }
    if path.split('?').next().is_some_and(|path| path.contains('@')) {
        return Err("the URL has an \"@\" after the host; in a password, write / as %2F and @ as %40".to_owned());
    }
    for host in host.split(',') {
        let port = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map(|(_, port)| port);
        if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
            return Err("the URL's port is not a number from 0 to 65535".to_owned());
        }
    }
    Ok(product)
}

/// A URL as it may be shown and logged: every password in it replaced by `***`.
pub fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Perhaps "host=… password=…": nothing of it is safe to show.
        return "***".to_owned();
    };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let mut shown = format!("{scheme}://");
    // The last "@" even behind a "/": a password with an unescaped "/" is still a password.
    match rest.rsplit_once('@') {
        Some((user, place)) => {
            match user.split_once(':') {
                Some((name, _)) => shown.push_str(&format!("{name}:***")),
                None => shown.push_str(user),
            }
            shown.push('@');
            shown.push_str(place);
        }
        None => shown.push_str(rest),
    }
    for (index, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("pass") => shown.push_str(&format!("{name}=***")),
            _ => shown.push_str(pair),
        }
    }
    shown
}

/// Reads an address to listen on: `127.0.0.1:9100`, `[::]:9100`, `localhost:9100`, `:9100` (every address).
///
/// # Errors
/// A sentence that shows the form.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let wanted = || format!("\"{text}\" is not an address to listen on, like \"127.0.0.1:9100\" or \"0.0.0.0:9100\"");
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(wanted)?;
    let port = port.parse().map_err(|_| wanted())?;
    match host {
        "localhost" => Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        "" | "*" => Ok(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port)),
        _ => Err(wanted()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://me:s3cret@db/x", "postgres://me:***@db/x"),
            ("postgres://me:s3/cr@et@db:5432/x", "postgres://me:***@db:5432/x"),
            (
                "postgres://db/x?user=me&password=s3cret&sslmode=require",
                "postgres://db/x?user=me&password=***&sslmode=require",
            ),
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("postgres://:s3cret@db", "postgres://:***@db"),
            ("host=db password=s3cret", "***"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }

    #[test]
    fn a_url_of_another_product_is_refused_in_one_clear_sentence() {
        assert_eq!(product("postgres://localhost/inventory"), Ok(Product::Postgres));
        assert_eq!(product("postgresql://me:p%40@[::1]:5432,other/inventory?sslmode=require"), Ok(Product::Postgres));
        assert_eq!(product("mongodb://a:27017,b:27017/rackhd?replicaSet=rs0"), Ok(Product::Mongodb));
        assert_eq!(product("amqps://guest:guest@localhost:5671/%2f"), Ok(Product::Rabbitmq));
        for (url, part) in [
            ("mysql://localhost/x", "this version, which follows Postgres"),
            ("localhost/inventory", "a URL is wanted"),
            ("htp://x", "\"htp\" is unknown"),
            ("postgres://h:70000/x", "port"),
            ("postgres://me:a/s3cret@h/x", "%2F"),
            ("postgres://h/my db", "%20"),
        ] {
            let sentence = product(url).unwrap_err();
            assert!(sentence.contains(part), "{url}: {sentence}");
            assert!(!sentence.contains("s3cret"), "{sentence}");
        }
    }

    #[test]
    fn an_address_to_listen_on_is_never_looked_up() {
        assert!(listen("localhost:0").unwrap().ip().is_loopback());
        assert!(listen(":9100").unwrap().ip().is_unspecified());
        assert_eq!(listen("[::1]:9100").unwrap().port(), 9100);
        for text in ["", "9100", "example.com:9100", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(listen(text).is_err(), "{text}");
        }
    }
}

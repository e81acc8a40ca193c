//! Names that nobody is to get from anywhere.

use super::{Auth, Project, World, zip};

#[test]
fn nobody_gets_a_blocked_name_from_anywhere() {
    let world = World::new();
    world.command("org add public").done();
    let evil = zip(&[("composer.json", r#"{"name": "evil/lib", "version": "6.6.6"}"#)]);
    world.file("evil.zip", &evil);
    world.command("package add-artifact evil.zip --wait --fork --org public").done();
    world.file("good.zip", &zip(&[("composer.json", r#"{"name": "acme/good", "version": "1.0.0"}"#)]));
    world.command("package add-artifact good.zip --wait --org acme").done();
    let public = world.command("token add --access read --org public").done();
    // A token that sees one other package is kept away from it as well.
    let all = world.command("token add --access read --org acme").done();
    let restricted = world.command("token add --access read --org acme --package acme/good").done();
    let installs = |token: &str| {
        let address = |org: &str, token: &str| {
            world.installation.repository(org).replace("http://", &format!("http://token:{token}@"))
        };
        let repositories = [address("acme", token), address("public", &public)];
        let project = Project::new(&world.installation.authority, &repositories, &Auth::None);
        project.require(&[("evil/lib", "*")]);
        project.composer("update")
    };
    installs(&all).done();
    assert_eq!(world.command("package block Evil/Lib --wait --org acme").done(), "evil/lib");
    for token in [&all, &restricted] {
        let told = installs(token).failed();
        assert!(told.contains("evil/lib is blocked in this repository"), "{told}");
        assert_eq!(world.get(token, "p2/evil/lib.json").0, 200);
        assert!(world.get(token, "packages.json").1.contains("\"evil/lib\""));
        for path in ["list.json", "search.json?q=lib"] {
            assert!(!world.get(token, path).1.contains("evil/lib"), "{path}");
        }
    }
    let vendors = world.command("vendor list --org acme").done();
    assert!(!vendors.contains("evil"), "the others of that vendor are not blocked: {vendors}");
    let again = world.command("package block evil/lib --org acme").failed();
    assert!(again.contains("the organization has evil/lib already"), "{again}");
    world.file("own.zip", &evil);
    let again = world.command("package add-artifact own.zip --org acme").failed();
    assert!(again.contains("the organization has evil/lib already"), "{again}");
    assert!(world.command("package block nonsense --org acme").failed().contains("nonsense"));
    assert_eq!(world.audit("package.block").len(), 1);
    world.command("package update evil/lib --wait --org acme").done();
    world.command("package remove evil/lib --org acme").done();
    installs(&all).done();
    installs(&restricted).done();
}

//! Detects the container or virtual machine, by the names of systemd-detect-virt(1). It uses the same files and the
//! same order, the container first.

use crate::procfs::Procfs;
use crate::rootfs::Rootfs;

/// The container or virtual machine. None if none is found. `is_here` is false for another machine: then the CPU is not
/// asked.
pub fn detect(root: &Rootfs, procfs: &Procfs, is_here: bool) -> Option<&'static str> {
    let of_cpu = if is_here { hypervisor() } else { None };
    container(root, procfs).or_else(|| machine(root, of_cpu))
}

/// Container managers that give their name.
const CONTAINERS: &[&str] =
    &["systemd-nspawn", "lxc-libvirt", "lxc", "docker", "podman", "rkt", "wsl", "proot", "pouch", "openvz"];

/// Files that only a container of this kind has.
const CONTAINER_FILES: &[(&str, &str)] = &[("run/.containerenv", "podman"), (".dockerenv", "docker")];

fn container(root: &Rootfs, procfs: &Procfs) -> Option<&'static str> {
    let kernel = procfs.read_host("sys/kernel/osrelease").unwrap_or_default();
    if ["Microsoft", "WSL"].iter().any(|word| contains(&kernel, word)) {
        return Some("wsl");
    }
    // systemd writes the second file, because not every user may read the environment of process 1.
    let files = ["run/host/container-manager", "run/systemd/container"];
    let named = files.iter().find_map(|path| root.read(path).ok()).or_else(|| {
        let environment = procfs.read_host("1/environ").ok()?;
        environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"container=")).map(<[u8]>::to_vec)
    });
    let of_file = || CONTAINER_FILES.iter().find(|(path, _)| root.read(path).is_ok()).map(|(_, name)| *name);
    match named.as_deref().map(<[u8]>::trim_ascii) {
        None | Some(b"") => of_file(),
        // The word of the OCI standard, which every manager may use.
        Some(b"oci") => of_file().or(Some(OTHER_CONTAINER)),
        Some(name) => CONTAINERS.iter().find(|known| known.as_bytes() == name).copied().or(Some(OTHER_CONTAINER)),
    }
}

const OTHER_CONTAINER: &str = "container-other";
const OTHER_MACHINE: &str = "vm-other";

/// The beginnings of the names that firmware has in DMI.
const FIRMWARE: &[(&str, &str)] = &[
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
];

/// Products that use another hypervisor. Their own name is more useful.
const PRODUCTS: &[&str] = &["oracle", "xen", "amazon", "parallels", "google"];

/// Hypervisors in a device tree, where there is no DMI.
const DEVICE_TREE: &[(&str, &str)] = &[("linux,kvm", "kvm"), ("xen", "xen"), ("vmware", "vmware")];

/// Which virtual machine it is; `of_cpu` is the hypervisor that the CPU names.
fn machine(root: &Rootfs, of_cpu: Option<&'static str>) -> Option<&'static str> {
    let of_firmware = firmware(root);
    of_firmware
        .filter(|name| PRODUCTS.contains(name))
        .or(of_cpu.filter(|name| *name != OTHER_MACHINE))
        .or(of_firmware)
        .or_else(|| root.read("sys/hypervisor/type").ok().filter(|text| text.trim_ascii() == b"xen").map(|_| "xen"))
        .or_else(|| {
            let text = root.read("sys/firmware/devicetree/base/hypervisor/compatible").ok()?;
            let known = DEVICE_TREE.iter().find(|(word, _)| contains(&text, word));
            Some(known.map_or(OTHER_MACHINE, |(_, name)| name))
        })
        .or(of_cpu)
}

fn firmware(root: &Rootfs) -> Option<&'static str> {
    let read = |name: &str| root.read(&format!("sys/class/dmi/id/{name}")).unwrap_or_default();
    let product = read("product_name");
    // Amazon's physical machines have the same vendor.
    if contains(&product, ".metal") {
        return None;
    }
    let texts = ["sys_vendor", "board_vendor", "bios_vendor", "product_version"].map(read);
    [product].iter().chain(&texts).find_map(|text| {
        let row = FIRMWARE.iter().find(|(beginning, _)| text.starts_with(beginning.as_bytes()));
        row.map(|(_, name)| *name)
    })
}

/// The hypervisor that the CPU names.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn hypervisor() -> Option<&'static str> {
    use raw_cpuid::{CpuId, Hypervisor};

    Some(match CpuId::new().get_hypervisor_info()?.identify() {
        Hypervisor::Xen => "xen",
        Hypervisor::VMware => "vmware",
        Hypervisor::HyperV => "microsoft",
        Hypervisor::KVM => "kvm",
        Hypervisor::QEMU => "qemu",
        Hypervisor::Bhyve => "bhyve",
        Hypervisor::QNX => "qnx",
        Hypervisor::ACRN => "acrn",
        Hypervisor::Unknown(..) => OTHER_MACHINE,
    })
}

/// Other CPUs have no instruction for it.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn hypervisor() -> Option<&'static str> {
    None
}

fn contains(text: &[u8], word: &str) -> bool {
    memchr::memmem::find(text, word.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const NAME: &str = "sys/class/dmi/id/product_name";
    const VENDOR: &str = "sys/class/dmi/id/sys_vendor";
    const TREE: &str = "sys/firmware/devicetree/base/hypervisor/compatible";

    /// A root and a /proc with these files.
    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Rootfs, Procfs) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("proc")).unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Rootfs::open(folder.path()).unwrap();
        let procfs = Procfs::open(Some(&folder.path().join("proc"))).unwrap();
        (folder, root, procfs)
    }

    #[test]
    fn by_files() {
        for (files, expected) in [
            (&[][..], None),
            (&[(NAME, "KVM\n")], Some("kvm")),
            (&[(NAME, "Standard PC (Q35 + ICH9, 2009)\n"), (VENDOR, "QEMU\n")], Some("qemu")),
            (&[(NAME, "VMware20,1\n"), (VENDOR, "VMware, Inc.\n")], Some("vmware")),
            (&[(NAME, "Virtual Machine\n"), ("sys/class/dmi/id/product_version", "Hyper-V UEFI\n")], Some("microsoft")),
            (&[(NAME, "m7g.large\n"), (VENDOR, "Amazon EC2\n")], Some("amazon")),
            (&[(NAME, "m7g.metal\n"), (VENDOR, "Amazon EC2\n")], None),
            (&[(NAME, "PowerEdge R750\n"), (VENDOR, "Dell Inc.\n")], None),
            (&[(NAME, "Google Compute Engine\n"), (VENDOR, "Google\n")], Some("google")),
            (&[("sys/hypervisor/type", "xen\n")], Some("xen")),
            (&[(TREE, "linux,kvm\0")], Some("kvm")),
            (&[(TREE, "acme,hv\0")], Some("vm-other")),
            (&[(NAME, "KVM\n"), (".dockerenv", "")], Some("docker")),
            (&[("run/.containerenv", "engine=\"podman-4.3.1\"\n")], Some("podman")),
            (&[("run/systemd/container", "lxc\n")], Some("lxc")),
            (&[("run/systemd/container", "oci\n"), (".dockerenv", "")], Some("docker")),
            (&[("run/systemd/container", "oci")], Some("container-other")),
            (&[("run/host/container-manager", "new-manager\n")], Some("container-other")),
            (&[("proc/1/environ", "A=1\0container=systemd-nspawn\0B=2\0")], Some("systemd-nspawn")),
            (&[("proc/1/environ", "A=1\0")], None),
            (&[("proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n")], Some("wsl")),
        ] {
            let (_folder, root, procfs) = tree(files);
            assert_eq!(detect(&root, &procfs, false), expected, "{files:?}");
        }
    }

    #[test]
    fn firmware_of_a_product_beats_the_cpu_which_beats_other_firmware() {
        for (files, of_cpu, expected) in [
            (&[(NAME, "Google Compute Engine\n")][..], Some("kvm"), Some("google")),
            (&[(VENDOR, "QEMU\n")], Some("kvm"), Some("kvm")),
            (&[(VENDOR, "QEMU\n")], Some(OTHER_MACHINE), Some("qemu")),
            (&[], Some(OTHER_MACHINE), Some("vm-other")),
            (&[], Some("microsoft"), Some("microsoft")),
        ] {
            let (_folder, root, _) = tree(files);
            assert_eq!(machine(&root, of_cpu), expected, "{files:?} {of_cpu:?}");
        }
    }
}

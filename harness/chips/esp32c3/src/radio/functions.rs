//! The driver's functions by name, and their addresses in this firmware.

use std::collections::BTreeMap;

use crate::radio::layout::err;
use crate::radio::{Function, Radio, Run, Step, done};
use crate::rom::call::{Call, Fault};
use image::SymbolTable;

/// Returns success without an effect.
fn accept(_: &mut Radio, _: &mut Call<'_>) -> Result<Step, Fault> {
    Ok(done(err::OK))
}

const MODELLED: &[(&str, Run)] = &[
    ("esp_wifi_init_internal", Radio::init_internal),
    ("esp_wifi_deinit_internal", Radio::deinit_internal),
    ("esp_supplicant_init", accept),
    ("esp_supplicant_deinit", accept),
    ("esp_wifi_set_mode", Radio::set_mode),
    ("esp_wifi_get_mode", Radio::get_mode),
    ("esp_wifi_set_config", Radio::set_config),
    ("esp_wifi_get_config", Radio::get_config),
    ("esp_wifi_set_protocol", Radio::set_protocol),
    ("esp_wifi_get_protocol", Radio::get_protocol),
    ("esp_wifi_set_protocols", Radio::set_protocols),
    ("esp_wifi_get_protocols", Radio::get_protocols),
    ("esp_wifi_set_bandwidth", Radio::set_bandwidth),
    ("esp_wifi_get_bandwidth", Radio::get_bandwidth),
    ("esp_wifi_set_bandwidths", Radio::set_bandwidths),
    ("esp_wifi_get_bandwidths", Radio::get_bandwidths),
    ("esp_wifi_set_country", Radio::set_country),
    ("esp_wifi_get_country", Radio::get_country),
    ("esp_wifi_set_ps", Radio::set_ps),
    ("esp_wifi_get_ps", Radio::get_ps),
    ("esp_wifi_set_max_tx_power", Radio::set_max_tx_power),
    ("esp_wifi_get_max_tx_power", Radio::get_max_tx_power),
    ("esp_wifi_set_channel", Radio::set_channel),
    ("esp_wifi_get_channel", Radio::get_channel),
    ("esp_wifi_set_mac", Radio::set_mac),
    ("esp_wifi_get_mac", Radio::get_mac),
    // Storage of settings, log levels, statistics, timing of power save: the model does not depend on them.
    ("esp_wifi_set_storage", accept),
    ("esp_wifi_internal_set_log_level", accept),
    ("esp_wifi_internal_set_log_mod", accept),
    ("esp_wifi_set_inactive_time", accept),
    ("esp_wifi_set_sleep_min_active_time", accept),
    ("esp_wifi_set_keep_alive_time", accept),
    ("esp_wifi_set_sleep_wait_broadcast_data_time", accept),
    ("esp_wifi_internal_update_mac_time", accept),
    ("esp_wifi_internal_set_sta_ip", accept),
    ("esp_wifi_start", Radio::start),
    ("esp_wifi_stop", Radio::stop),
    ("esp_wifi_connect_internal", Radio::connect),
    ("esp_wifi_disconnect_internal", Radio::disconnect),
    ("esp_wifi_scan_start", Radio::scan_start),
    ("esp_wifi_scan_stop", Radio::scan_stop),
    ("esp_wifi_scan_get_ap_num", Radio::scan_get_ap_num),
    ("esp_wifi_scan_get_ap_record", Radio::scan_get_ap_record),
    ("esp_wifi_scan_get_ap_records", Radio::scan_get_ap_records),
    ("esp_wifi_clear_ap_list", Radio::clear_ap_list),
    ("esp_wifi_sta_get_rssi", Radio::sta_get_rssi),
    ("esp_wifi_sta_get_ap_info", Radio::sta_get_ap_info),
    ("esp_wifi_sta_get_aid", Radio::sta_get_aid),
    ("esp_wifi_set_tx_done_cb", Radio::set_tx_done_cb),
    ("esp_wifi_internal_reg_rxcb", Radio::reg_rxcb),
    ("esp_wifi_internal_tx", Radio::internal_tx),
    ("esp_wifi_internal_free_rx_buffer", Radio::free_rx_buffer),
    // Coexistence and PHY have no hardware to drive.
    ("esp_coex_adapter_register", accept),
    ("coex_pre_init", accept),
    ("coex_init", accept),
    ("coex_deinit", accept),
    ("coex_enable", accept),
    ("coex_disable", accept),
    ("phy_init_flag", accept),
];

/// Functions of the vendor's libraries begin with one of these; a Rust function's mangled name never does.
const PREFIXES: &[&str] = &[
    "esp_wifi_",
    "esp_supplicant_",
    "esp_now_",
    "esp_mesh_",
    "esp_smartconfig_",
    "esp_eap_client_",
    "esp_coex_",
    "coex_",
    "esp_phy_",
    "phy_",
    "register_chipv7_phy",
    "btdm_",
    "esp_ble_mesh_",
    "esp_vhci_",
];

/// Open-source functions with one of these prefixes, which call the driver and run as they are.
const NOT_THE_DRIVER: &[&str] = &[
    "esp_wifi_init",
    "esp_wifi_deinit",
    "esp_wifi_connect",
    "esp_wifi_disconnect",
    "phy_enter_critical",
    "phy_exit_critical",
];

impl Radio {
    /// The driver of a firmware with these symbols.
    pub(crate) fn new(symbols: &SymbolTable) -> Radio {
        let event_base = symbols.find("WIFI_EVENT").map(|s| s.addr);
        Radio::with_functions(find(symbols), event_base)
    }
}

/// Finds every function of the driver in this firmware, by address.
fn find(symbols: &SymbolTable) -> BTreeMap<u32, Function> {
    let mut functions = BTreeMap::new();
    for symbol in symbols.iter().filter(|s| s.is_function) {
        let name = symbol.name.as_str();
        if !PREFIXES.iter().any(|p| name.starts_with(p)) || NOT_THE_DRIVER.contains(&name) {
            continue;
        }
        let modelled = MODELLED.iter().find(|(known, _)| *known == name);
        let function = match modelled {
            Some((_, run)) => Function::Modelled(*run),
            None => Function::NotModelled {
                name: name.to_owned(),
                answer: if name.starts_with("esp_") {
                    err::NOT_SUPPORTED
                } else {
                    0
                },
            },
        };
        functions.insert(symbol.addr, function);
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Symbol;

    #[test]
    fn functions_are_found_by_name() {
        let function = |addr, name: &str, is_function| Symbol {
            addr,
            size: 4,
            name: name.to_owned(),
            is_function,
        };
        let table = SymbolTable::new(vec![
            function(0x4200_0000, "esp_wifi_start", true),
            function(0x4200_0004, "esp_now_send", true),
            function(0x4200_0008, "esp_wifi_init", true),
            function(0x4200_000C, "_RNvCs123_4main13esp_wifi_stop", true),
            function(0x3FC8_0000, "phy_param", false),
            function(0x4200_0010, "register_chipv7_phy", true),
        ]);
        let found = find(&table);
        assert_eq!(
            found.keys().copied().collect::<Vec<_>>(),
            [0x4200_0000, 0x4200_0004, 0x4200_0010]
        );
        assert!(matches!(found[&0x4200_0000], Function::Modelled(_)));
        assert!(
            matches!(&found[&0x4200_0004], Function::NotModelled { name, answer: 0x106 } if name == "esp_now_send")
        );
        assert!(matches!(
            found[&0x4200_0010],
            Function::NotModelled { answer: 0, .. }
        ));
    }
}

// The whole demo in a new resource group: a workspace with table, rule, alert and workbook page, and a virtual machine with the
// Azure Monitor Agent. cloud-init installs procline on the machine.

@description('Name of the machine. The other names begin with it.')
param name string = 'procline'

@description('Public SSH key of the machine\'s administrator. There is no password.')
param sshPublicKey string

@description('Address of the procline package (.deb) that the machine installs.')
param packageUrl string

@description('SHA-256 checksum of the package, in hexadecimal digits.')
@minLength(64)
@maxLength(64)
param packageSha256 string

@description('Addresses that may connect to the machine by SSH, as 203.0.113.7 or 203.0.113.0/24; empty for none.')
param sshFrom string = ''

@description('Columns of the table: see machines.bicep. The alerts and the workbook page need the layout procline.')
@allowed(['procline', 'ps', 'oms'])
param layout string = 'procline'

@description('Whether the workspace and the endpoint accept connections from public networks. Disabled needs a private link.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string = 'Enabled'

@description('Resource ids of the action groups that the alerts notify.')
param actionGroupIds array = []

param location string = resourceGroup().location

var adminUsername = 'azureuser'
var cloudInit = replace(
  replace(loadTextContent('cloud-init.yml'), 'PACKAGE_URL', packageUrl),
  'PACKAGE_SHA256',
  packageSha256
)

var sshRules = [
  {
    name: 'ssh'
    properties: {
      priority: 1000
      direction: 'Inbound'
      access: 'Allow'
      protocol: 'Tcp'
      sourceAddressPrefix: sshFrom
      sourcePortRange: '*'
      destinationAddressPrefix: '*'
      destinationPortRange: '22'
    }
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    publicNetworkAccessForIngestion: publicNetworkAccess
    publicNetworkAccessForQuery: publicNetworkAccess
    features: {
      // Who may read a machine may read its rows. A workspace from a template lacks this unless it is set.
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

// The identity that the agent signs in with.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-agent'
  location: location
}

// The machine downloads the package and sends to Azure Monitor. The default rules deny all connections from outside.
resource firewall 'Microsoft.Network/networkSecurityGroups@2024-07-01' = {
  name: '${name}-firewall'
  location: location
  properties: {
    securityRules: empty(sshFrom) ? [] : sshRules
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: ['10.0.0.0/24']
    }
    subnets: [
      {
        name: 'machines'
        properties: {
          addressPrefix: '10.0.0.0/24'
          networkSecurityGroup: {
            id: firewall.id
          }
        }
      }
    ]
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2024-07-01' = {
  name: '${name}-address'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource interface 'Microsoft.Network/networkInterfaces@2024-07-01' = {
  name: '${name}-interface'
  location: location
  properties: {
    ipConfigurations: [
      {
        name: 'first'
        properties: {
          subnet: {
            id: network.properties.subnets[0].id
          }
          publicIPAddress: {
            id: address.id
          }
        }
      }
    ]
  }
}

resource machine 'Microsoft.Compute/virtualMachines@2024-07-01' = {
  name: name
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    hardwareProfile: {
      vmSize: 'Standard_D2s_v5'
    }
    storageProfile: {
      imageReference: {
        publisher: 'Canonical'
        offer: 'ubuntu-24_04-lts'
        sku: 'server'
        version: 'latest'
      }
      osDisk: {
        createOption: 'FromImage'
        deleteOption: 'Delete'
      }
    }
    osProfile: {
      computerName: name
      adminUsername: adminUsername
      customData: base64(cloudInit)
      linuxConfiguration: {
        disablePasswordAuthentication: true
        ssh: {
          publicKeys: [
            {
              path: '/home/${adminUsername}/.ssh/authorized_keys'
              keyData: sshPublicKey
            }
          ]
        }
      }
    }
    networkProfile: {
      networkInterfaces: [
        {
          id: interface.id
        }
      ]
    }
    // The serial log, which also shows what cloud-init printed.
    diagnosticsProfile: {
      bootDiagnostics: {
        enabled: true
      }
    }
  }
}

resource agent 'Microsoft.Compute/virtualMachines/extensions@2024-07-01' = {
  parent: machine
  name: 'AzureMonitorLinuxAgent'
  location: location
  properties: {
    publisher: 'Microsoft.Azure.Monitor'
    type: 'AzureMonitorLinuxAgent'
    typeHandlerVersion: '1.0'
    autoUpgradeMinorVersion: true
    enableAutomaticUpgrade: true
    settings: {
      authentication: {
        managedIdentity: {
          'identifier-name': 'mi_res_id'
          'identifier-value': identity.id
        }
      }
    }
  }
}

module rows 'machines.bicep' = {
  name: 'procline-rows'
  params: {
    workspaceName: workspace.name
    machineIds: [machine.id]
    location: location
    layout: layout
    publicNetworkAccess: publicNetworkAccess
    withConfigurationEndpoint: publicNetworkAccess == 'Disabled'
  }
}

module watch 'watch.bicep' = if (layout == 'procline') {
  name: 'procline-watch'
  params: {
    workspaceName: workspace.name
    programNames: ['cron']
    actionGroupIds: actionGroupIds
    location: location
  }
  // The workbook page needs the table.
  dependsOn: [rows]
}

output address string = address.properties.ipAddress

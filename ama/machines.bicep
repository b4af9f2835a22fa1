// Rows from existing machines: the tables, the rule that fills them from procline's files, and the association of the machines
// with the rule. Deploy it into the resource group of the workspace and the machines. Each machine needs the Azure Monitor
// Agent, an identity, and procline with its timer.

@description('The Log Analytics workspace, in this resource group.')
param workspaceName string

@description('Virtual machines in this resource group to associate with the rule.')
param machineNames array

@description('Region of the rule and the endpoint. It must be the region of the workspace.')
param location string = resourceGroup().location

@description('Columns of the table: procline for procline\'s field names, ps for the nine columns of a table filled from ps.')
@allowed(['procline', 'ps'])
param layout string = 'procline'

@description('Whether to create a data collection endpoint for the rule.')
param withEndpoint bool = true

var columns = loadJsonContent('columns.json')
var layouts = {
  procline: {
    columns: columns.procline
    transform: loadTextContent('transform.kql')
  }
  ps: {
    columns: columns.ps
    transform: loadTextContent('transform-ps.kql')
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = {
  parent: workspace
  name: 'ProcessMonitor_CL'
  properties: {
    schema: {
      name: 'ProcessMonitor_CL'
      columns: layouts[layout].columns
    }
  }
}

// One row per heartbeat. It stays empty if no machine runs procline-host.timer.
resource hostTable 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = {
  parent: workspace
  name: 'ProclineHost_CL'
  properties: {
    schema: {
      name: 'ProclineHost_CL'
      columns: columns.host
    }
  }
}

resource endpoint 'Microsoft.Insights/dataCollectionEndpoints@2024-03-11' = if (withEndpoint) {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    networkAcls: {
      publicNetworkAccess: 'Enabled'
    }
  }
}

resource rule 'Microsoft.Insights/dataCollectionRules@2024-03-11' = {
  name: 'procline'
  location: location
  kind: 'Linux'
  properties: {
    description: 'One row per process and snapshot, and one per heartbeat, from the files of procline'
    dataCollectionEndpointId: withEndpoint ? endpoint.id : null
    streamDeclarations: {
      'Custom-ProcessMonitor': {
        columns: columns.stream
      }
      'Custom-ProclineHost': {
        columns: columns.hostStream
      }
    }
    dataSources: {
      logFiles: [
        {
          name: 'procline'
          streams: ['Custom-ProcessMonitor']
          filePatterns: ['/var/log/procline/*.jsonl']
          format: 'json'
        }
        {
          name: 'procline-host'
          streams: ['Custom-ProclineHost']
          filePatterns: ['/var/log/procline-host/*.jsonl']
          format: 'json'
        }
      ]
    }
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspace.id
        }
      ]
    }
    dataFlows: [
      {
        streams: ['Custom-ProcessMonitor']
        destinations: ['workspace']
        transformKql: layouts[layout].transform
        outputStream: 'Custom-ProcessMonitor_CL'
      }
      {
        streams: ['Custom-ProclineHost']
        destinations: ['workspace']
        transformKql: loadTextContent('transform-host.kql')
        outputStream: 'Custom-ProclineHost_CL'
      }
    ]
  }
  // Azure refuses the rule if its tables do not exist.
  dependsOn: [table, hostTable]
}

resource machines 'Microsoft.Compute/virtualMachines@2024-07-01' existing = [
  for name in machineNames: {
    name: name
  }
]

resource associations 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = [
  for (name, index) in machineNames: {
    name: 'procline'
    scope: machines[index]
    properties: {
      description: 'Process records of ${name}'
      dataCollectionRuleId: rule.id
    }
  }
]

output ruleId string = rule.id
